"""The gate opens for the server that clients shall meet, and for no other."""

from __future__ import annotations

import time

import pytest

from nfsha_config.host.promotion import READY
from tests.golden.sites import SITES, rendered

from .machine import on_machine

# A server as it should be, in the place of the kernel's.
_SERVER = """
ip link set lo up
systemd-tmpfiles --create nfsha.conf
mount -t tmpfs tmpfs /proc/fs
mkdir /proc/fs/nfsd
echo 8 >/proc/fs/nfsd/threads
echo {lease} >/proc/fs/nfsd/nfsv4leasetime
echo {grace} >/proc/fs/nfsd/nfsv4gracetime
echo 192.0.2.9 client >>/etc/hosts
mkdir -p {exports}
mkdir -p /run/rpc_pipefs/nfsd
mkfifo /run/rpc_pipefs/nfsd/cld
printf '#!/bin/sh\n' >/usr/sbin/rpc.nfsd
unshare --uts /usr/libexec/nfsha/start-nfsd
"""
_ADMIT = """
/usr/libexec/nfsha/admit
[ -e /run/nfsha/open ] && echo open
[ -e /run/nfsha/unresolved ] && echo unresolved
"""
_CLOSED = "nfsha: the gate stays closed: "


def _admit(name: str, change: str) -> list[str]:
    """What admit says on the first node of a site whose server was changed like that."""
    site = SITES[name]
    exports = " ".join(["/srv/nfs4", *(export.path for export in site.exports)])
    server = _SERVER.format(lease=site.timings.nfs_lease, grace=site.timings.nfs_grace, exports=exports)
    shown = on_machine(rendered(name, site.nodes[0].name), f"{server}\n{change}\n{_ADMIT}", check=False)
    return shown.splitlines()[:-1]


@pytest.mark.parametrize("name", SITES)
def test_a_server_as_it_should_be(name: str) -> None:
    assert _admit(name, "") == ["open"]


def test_one_that_started_before_its_lease_was_changed() -> None:
    """It serves until the next start, and must be let in again after whatever closes the gate."""
    assert _admit("lab", "sed -i 's/lease-time = .*/lease-time = 20/' /etc/nfs.conf.d/nfsha.conf") == ["open"]


# Takes the place of a name server.
_MUTE = """
    sed -i /client/d /etc/hosts
    echo 'nameserver 127.0.0.1' >/etc/resolv.conf
    sed -i '/^hosts:/s/:.*/: files dns/' /etc/nsswitch.conf
    /usr/bin/python3 -c '
import socket, time
mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
mute.bind(("127.0.0.1", 53))
open("/run/mute", "w").close()
mute.recv(512)
print("asked", flush=True)
time.sleep(60)
' & mute=$!
    trap 'kill $mute' EXIT
    until [ -e /run/mute ]; do sleep 0.05; done
"""


def test_a_name_server_that_does_not_answer() -> None:
    """The gate is not kept closed for the 20 s that the resolver would wait for each name."""
    begun = time.monotonic()
    said = _admit("lab", _MUTE)
    assert "asked" in said and "unresolved" in said
    assert time.monotonic() - begun < 20.0


def test_a_name_server_that_does_not_answer_for_many_names() -> None:
    """Who has an address is let in before the promotion would count as failed."""
    clients = "one(ro) two(ro) three(ro) 192.0.2.0/24(rw,sync,no_subtree_check) four(ro) 10.0.0.1(ro,sync,no_subtree_check)"
    before = "/srv/nfs4/data\\tlong-gone(ro,sync)"
    change = f"sed -i 's|$| {clients}|;/^#/d' /etc/exports.d/nfsha.exports; echo '{before}' >/run/nfsha/exports/etab; {_MUTE}"
    begun = time.monotonic()
    said = _admit("lab", f"{change}\ntrap 'kill $mute; cut -d \"(\" -f 1 /run/nfsha/exports/etab; echo' EXIT")
    assert time.monotonic() - begun < READY
    assert "nfsha: to find all clients' names takes too long; those with an address are let in now" in said
    assert {"open", "unresolved"} < {*said}
    assert {line for line in said if line.startswith("/srv")} == {
        "/srv/nfs4\t192.168.50.10", "/srv/nfs4\t192.0.2.0/24", "/srv/nfs4\t10.0.0.1",
        "/srv/nfs4/data\t192.0.2.0/24", "/srv/nfs4/data\t10.0.0.1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("echo 0 >/proc/fs/nfsd/threads", "no nfsd runs"),
        ("rm /run/rpc_pipefs/nfsd/cld", "knfsd does not use nfsdcld"),
        ("echo 90 >/proc/fs/nfsd/nfsv4leasetime", "the lease-time is 90 s, not 15 s"),
        ("echo 15 >/proc/fs/nfsd/nfsv4gracetime", "the grace-time is 15 s, not 90 s"),
        ("sed -i /client/d /etc/hosts", "/srv/nfs4/data is not exported"),
        ("chmod 0 /usr/sbin/exportfs", "/srv/nfs4 is not exported"),
    ],
)
def test_another_server(change: str, said: str) -> None:
    assert f"{_CLOSED}{said}" in _admit("lab", change)


def test_a_name_that_is_not_known_keeps_nobody_else_out() -> None:
    change = "touch /run/nfsha/unresolved; sed -i '/data/s/$/ late(ro,sync,no_subtree_check)/' /etc/exports.d/nfsha.exports"
    said = _admit("lab", change)
    assert said[-2:] == ["open", "unresolved"] and "exportfs: Failed to resolve late" in said
    assert _admit("lab", "touch /run/nfsha/unresolved") == ["open"]
