"""The gate and the tickle, with two network namespaces, real sockets and this machine's nftables."""

from __future__ import annotations

import pytest

from nfsha_config.host import gate
from tests.golden.sites import SITES, rendered

from .machine import on_machine

VIRTUAL = str(SITES["lab"].network.virtual_address.ip)

# A server of one connection after another, and a client that says what becomes of its connection. It waits until the gate
# is closed: a busy machine takes its time.
_PROGRAMS = f"""
cat >/run/server <<'END'
import socket, threading
listening = socket.create_server(("", 2049))
def echo(connection):
    try:
        while data := connection.recv(9):
            connection.send(data)
    except OSError:
        pass
while True:
    threading.Thread(target=echo, args=(listening.accept()[0],), daemon=True).start()
END
cat >/run/client <<'END'
import pathlib, socket, time
connection = socket.create_connection(("{VIRTUAL}", 2049), 10)
connection.send(b"a")
print("answered", connection.recv(1), flush=True)
pathlib.Path("/run/answered").touch()
while not pathlib.Path("/run/closed").exists():
    time.sleep(0.05)
connection.send(b"b")
start = time.monotonic()
try:
    print("answered", connection.recv(1), flush=True)
except OSError as error:
    print(type(error).__name__, "late" if time.monotonic() - start > 8 else "soon", flush=True)
END
cat >/run/try <<'END'
import socket, sys
try:
    socket.create_connection((sys.argv[1], 2049), 3).close()
    print("let in")
except OSError as error:
    print(type(error).__name__)
END
"""
_NETWORK = f"""
ip link set lo up
ip netns add client
ip link add eth1 type veth peer name eth1 netns client
ip link set eth1 up
ip -n client link set eth1 up
ip addr add 192.168.50.11/24 dev eth1
ip addr add {VIRTUAL}/24 dev eth1
ip -n client addr add 192.168.50.100/24 dev eth1
ip addr add fd00::11/64 dev eth1 nodad
ip -n client addr add fd00::100/64 dev eth1 nodad
client() {{ ip netns exec client python3 "$@"; }}
gate=/usr/libexec/nfsha/gate
mkdir -p /run/nfsha
listens() {{ ss --no-header --listening --tcp --numeric | grep -q :2049; }}
serve() {{
    python3 /run/server &
    server=$!
    until listens; do sleep 0.05; done
}}
"""


def _in_the_network(script: str) -> str:
    """What a script prints where the server's and the client's machine are there, and the gate is closed."""
    return on_machine(rendered("lab", "nfs1"), f"{_PROGRAMS}{_NETWORK}$gate restore\nserve\n{script}\nkill $server\n")


def test_its_list_shows_whether_it_is_closed() -> None:
    """As nfsha-health.service reads it."""
    listed = "nft list table inet nfsha"
    closed, opened = _in_the_network(f"{listed}\necho ===\n$gate open\n{listed}").split("===")
    assert (len(gate._DROPS.findall(closed)), len(gate._DROPS.findall(opened))) == (gate._CLOSED, 0)


def test_the_gate_lets_in_refuses_and_is_put_back() -> None:
    shown = _in_the_network(f"""
    client /run/try {VIRTUAL}
    $gate open
    client /run/try {VIRTUAL}
    client /run/try 192.168.50.11
    client /run/try fd00::11
    python3 /run/try {VIRTUAL}
    nft flush ruleset
    client /run/try 192.168.50.11
    $gate restore
    client /run/try 192.168.50.11
    client /run/try {VIRTUAL}
    $gate close
    client /run/try {VIRTUAL}
    """)
    refused, let_in = "ConnectionRefusedError", "let in"
    assert shown.splitlines() == [
        refused, let_in, refused, refused, let_in, let_in, refused, let_in, refused,
    ]  # fmt: skip


@pytest.mark.parametrize(("tickled", "wanted"), [("yes", "ConnectionResetError soon"), ("no", "TimeoutError late")])
def test_a_client_keeps_its_connection_behind_the_closed_gate_and_comes_back_when_tickled(tickled: str, wanted: str) -> None:
    """Without the tickle the client would wait for its own retransmission, which is blocked here to make it late."""
    shown = _in_the_network(f"""
    $gate open
    client /run/client &
    client=$!
    until [ -e /run/answered ]; do sleep 0.05; done
    python3 - save <<'END'
import ipaddress, pathlib
from nfsha_config.host import connections
from nfsha_config.paths import Paths
found = connections.established(ipaddress.IPv4Address("{VIRTUAL}"), Paths())
assert [str(one.address) for one in found] == ["192.168.50.100"]
connections.save(found, pathlib.Path("/run/list"))
END
    $gate close
    ss --kill --tcp sport = :2049 >/dev/null
    kill $server
    while listens; do sleep 0.05; done
    serve
    touch /run/closed
    sleep 1.5
    # Only an ACK without data may come: the client's own retransmission would end it as well.
    nft add table inet late
    nft 'add chain inet late input {{ type filter hook input priority -20; }}'
    nft add rule inet late input tcp dport 2049 meta length '>' 52 drop
    $gate open
    if [ {tickled} = yes ]; then
        python3 - <<'END'
import ipaddress, pathlib
from nfsha_config.host import connections, tickle
assert tickle.tickle(ipaddress.IPv4Address("{VIRTUAL}"), connections.saved(pathlib.Path("/run/list"))) == 1
END
    fi
    wait $client
    """)
    assert shown.splitlines() == ["answered b'a'", wanted]
