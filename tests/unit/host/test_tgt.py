"""The real tgtd takes what the site says, or it is said why not. The tests are a node that logs in (RFC 7143, 11.12)."""

from __future__ import annotations

from pathlib import Path

from nfsha_config.host import impact, tgt
from nfsha_config.site import load
from tests.unit.render.machine import on_machine

from . import disks

PREPARE = r"""
ip link set lo up
for address in 192.168.50.20 192.168.50.11 192.168.50.12; do ip address add $address/24 dev lo; done
mkdir -p /usr/share/nfsha-iscsi-target
# systemd does not run here; what Debian's tgt.service and its drop-in say is done all the same.
cat >/usr/bin/end-tgtd <<'END'
#!/bin/sh
pid=$(cat /run/tgtd.pid) || exit 0
kill -9 "$pid"
# Whoever is its parent here may leave it a zombie.
while grep -qs '^State:[[:space:]]*[^Z]' "/proc/$pid/status"; do sleep 0.1; done
END
cat >/usr/bin/systemctl <<'END'
#!/bin/sh
line() { cat /lib/systemd/system/tgt.service /etc/systemd/system/tgt.service.d/*.conf 2>/dev/null | sed -n "s/^$1=//p"; }
case $* in
show*) cat /run/tgtd.pid 2>/dev/null || echo 0 ;;
*reload*) line ExecReload | sh ;;
*restart*)
    echo restart >>/run/restarts
    [ ! -e /run/tgtd.pid ] || end-tgtd
    $(line ExecStart | tail -n 1) >/run/tgtd.log 2>&1 &
    echo $! >/run/tgtd.pid
    until tgtadm --lld iscsi --mode target --op show >/dev/null 2>&1; do sleep 0.1; done
    line ExecStartPost | sh
    ;;
esac
END
chmod 755 /usr/bin/systemctl /usr/bin/end-tgtd
cat >/run/story.py <<'END'
import hashlib, re, socket, struct, subprocess
from pathlib import Path
from nfsha_config.host import configure, target, tgt
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused

PACKAGED = Path("/usr/share/nfsha-iscsi-target/site.toml")
SITE = Path("/etc/nfsha/site.toml")
CHAP = {"secret.node": "the-nodes-own-secret", "secret.target": "the-targets-own-secret"}

def login(source, port, name):
    node = socket.create_connection(("192.168.50.20", port), source_address=(source, 0))
    def ask(flags, **keys):
        data = b"".join(f"{key}={value}\0".encode() for key, value in keys.items())
        head = struct.pack(">4BI6sHI2H2I16x", 0x43, flags, 0, 0, len(data), b"\x40nfsha", 0, 1, 0, 0, 1, 0)
        node.sendall(head + data + bytes(-len(data) % 4))
        head = node.recv(48, socket.MSG_WAITALL)
        assert len(head) == 48 and head[36:38] == b"\0\0", head
        size = int.from_bytes(head[5:8], "big")
        pairs = node.recv(size + -size % 4, socket.MSG_WAITALL)[:size].rstrip(b"\0").decode().split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)
    ask(0, InitiatorName="iqn.2020-01.org.example:node", TargetName=name, SessionType="Normal", AuthMethod="CHAP")
    asked = ask(0, CHAP_A=5)
    answer = bytes([int(asked["CHAP_I"])]) + CHAP["secret.node"].encode() + bytes.fromhex(asked["CHAP_C"][2:])
    ask(0x81, CHAP_N=USER, CHAP_R="0x" + hashlib.md5(answer).hexdigest())
    ask(0x87)
    return node

def site(**changes):
    text = PACKAGED.read_text()
    for old, new in changes.values():
        assert old in text, old
        text = text.replace(old, new)
    SITE.write_text(text)
    configure.configure("nfsha-iscsi-target", {}, Paths())

def serve():
    try:
        target.main(Paths())
    except Refused as refused:
        print(refused)

def show(mode):
    return subprocess.run(["tgtadm", "--lld", "iscsi", "--mode", mode, "--op", "show"], capture_output=True, text=True).stdout

def restarts():
    return len(Path("/run/restarts").read_text().splitlines())

def ports():
    return " ".join(sorted(set(re.findall(r":(\d+),", show("portal")))))

def leave(node):
    node.close()
    while "Connection:" in show("target"):
        pass

def allowed():
    return re.findall(r"^ +(192\S+)$", show("target"), re.M)

configure.configure("nfsha-iscsi-target", CHAP, Paths())
NAME, USER = (re.search(f'{key} = "(.*)"', SITE.read_text())[1] for key in ("iqn", "node_user"))
THIRD = ("[network]", '[[node]]\nname = "nfs3"\naddress = "192.168.50.13"\n\n[network]')
END
"""


def story(image: Path, steps: str) -> list[str]:
    """What the steps print on the target, whose tgtd is stopped in the end."""
    with disks.attached(image) as device:
        text = load.LAB.read_text(encoding="utf-8").replace("/dev/disk/by-id/virtio-nfsha-lun", str(device))
        text = text.replace('"1GiB"', f'"{disks.SIZE}"').replace('"64MiB"', f'"{disks.STATE}"')
        script = (
            f"{PREPARE}\ncat >>/run/story.py <<'END'\n{steps}\nEND\n"
            f"cat >/usr/share/nfsha-iscsi-target/site.toml <<'END'\n{text}\nEND\n"
            "/usr/bin/python3 -u /run/story.py || cat /run/tgtd.log\n"
            "end-tgtd\n"
        )
        return on_machine([], script).splitlines()


def test_new_secrets_are_taken_by_a_new_start(image: Path) -> None:
    """tgt-admin leaves an account as it is that tgtd has already (process_options)."""
    shown = story(image, """
subprocess.run(["systemctl", "restart", "tgt.service"])
serve()
node = login("192.168.50.11", 3260, NAME)
CHAP["secret.node"] = "another-node-secret"
configure.configure("nfsha-iscsi-target", CHAP, Paths())
serve()
leave(node)
serve()
node = login("192.168.50.11", 3260, NAME)
print(*tgt.users()[NAME], restarts())
""")  # fmt: skip
    assert shown == [*in_use("192.168.50.11"), "192.168.50.11 2"]


def in_use(address: str) -> list[str]:
    return [
        f"{load.load_file(load.LAB).storage.iqn}: is in use by {address}, so tgt goes on serving it as it was, "
        "until tgt.service starts anew",
        f"to have it as the site says, on every node: {impact.STOP}; then here: systemctl restart tgt.service; "
        "then on every node: systemctl start nfsha-node.target",
    ]


def test_a_target_that_a_node_is_logged_in_to_stays_as_it_is_and_that_is_said(image: Path) -> None:
    shown = story(image, """
subprocess.run(["systemctl", "restart", "tgt.service"])
serve()
print(*allowed())
node = login("192.168.50.11", 3260, NAME)
serve()
site(third=THIRD)
serve()
serve()
print(*allowed())
leave(node)
serve()
print(*allowed())
node = login("192.168.50.12", 3260, NAME)
serve()
site()
serve()
subprocess.run(["systemctl", "restart", "tgt.service"])
node = login("192.168.50.11", 3260, NAME)
serve()
print(*allowed(), restarts())
""")  # fmt: skip
    both = "192.168.50.11 192.168.50.12"
    assert shown == [
        both, *in_use("192.168.50.11"), *in_use("192.168.50.11"), both, f"{both} 192.168.50.13",
        *in_use("192.168.50.12"), f"{both} 3",
    ]  # fmt: skip


def test_tgtd_listens_at_the_portal_of_the_site(image: Path) -> None:
    shown = story(image, """
subprocess.run(["systemctl", "restart", "tgt.service"])
serve()
node = login("192.168.50.11", 3260, NAME)
site(port=(":3260", ":13260"))
serve()
leave(node)
serve()
leave(login("192.168.50.11", 13260, NAME))
print(ports(), restarts())
site()
serve()
print(ports(), restarts())
""")  # fmt: skip
    assert shown == [*in_use("192.168.50.11"), "13260 2", "3260 3"]


def test_the_targets_and_accounts_of_a_file() -> None:
    assert (tgt.targets(None), tgt.accounts(None)) == (frozenset(), frozenset())
    text = "# <target no>\n<target iqn.a:b>\n    incominguser a b\n    outgoinguser c d\n</target>\n"
    assert (tgt.targets(text), tgt.accounts(text)) == ({"iqn.a:b"}, {("incoming", "a b"), ("outgoing", "c d")})
