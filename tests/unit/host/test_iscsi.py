"""The node record, made by the real iscsiadm: CHAP both ways, and no secret where others read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.host import iscsi
from nfsha_config.paths import Paths
from nfsha_config.site import load
from tests.unit.render.machine import on_machine

# iscsid needs the kernel's iSCSI; of all it does, making a record needs the name of its file alone (usr/mgmt_ipc.c).
ISCSID = r"""
mkdir -p /run/lock /run/nfsha
cat >/run/iscsid.py <<'END'
import socket
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind("\0ISCSIADM_ABSTRACT_NAMESPACE")
server.listen(8)
print("ready", flush=True)
while True:
    client, _ = server.accept()
    command = client.recv(1 << 16)[:4]
    client.sendall(command + bytes(4) + b"/etc/iscsi/iscsid.conf".ljust(1 << 14, b"\0"))
    client.close()
END
mkfifo /run/ready
/usr/bin/python3 /run/iscsid.py >/run/ready &
trap "kill $!" EXIT
read -r _ </run/ready
"""
STORY = """
cp /etc/iscsi/iscsid.conf /run/before
cat >/run/story.py <<'END'
from nfsha_config.host import iscsi
from nfsha_config.paths import Paths
from nfsha_config.problems import NfshaError
from nfsha_config.site import load
from nfsha_config.site.secrets import Secrets

site = load.load_file(load.LAB)
iscsi._RETRY = iscsi._DEVICE_DEADLINE = 0.0
def record(node, target):
    iscsi._make_record(site, Secrets(node, target), Paths())
def login():
    iscsi.login(site, Secrets("the-nodes-own-secret", "the-targets-own-secret"), Paths())
try:
    exec(open("/run/steps").read())
except NfshaError as error:
    print(type(error).__name__, error)
END
/usr/bin/python3 /run/story.py
"""


def story(steps: str, after: str, iscsid: str = ISCSID) -> list[str]:
    """What is printed on a machine with iscsiadm."""
    script = f"cat >/run/steps <<'END'\n{steps}\nEND\n{STORY}\n{after}\n"
    return on_machine([], iscsid + script).splitlines()


def test_record() -> None:
    shown = story(
        'record("the-nodes-old-secret", "the-targets-old-secret"); record("the-nodes-own-secret", "the-targets-own-secret")',
        """
        find /etc/iscsi/nodes /var/lib/iscsi -type f -printf '%m\\n' 2>/dev/null || true
        cat /etc/iscsi/nodes/*/* /var/lib/iscsi/nodes/*/* 2>/dev/null |
            grep -E '^node.(startup|session.auth.[^c]|session.timeo)'
        cmp /etc/iscsi/iscsid.conf /run/before
        find /run/nfsha -type f
        """,
    )
    assert shown == [
        "600",
        "node.startup = manual",
        "node.session.auth.authmethod = CHAP",
        "node.session.auth.username = nfs-iscsi-user",
        "node.session.auth.password = the-nodes-own-secret",
        "node.session.auth.username_in = debian-iscsi-target",
        "node.session.auth.password_in = the-targets-own-secret",
        "node.session.timeo.replacement_timeout = 86400",
    ]


def test_a_record_without_chap_is_an_error() -> None:
    """What iscsiadm makes, and calls a success, when iscsid does not answer."""
    shown = story('record("the-nodes-own-secret", "the-targets-own-secret")', "find /run/nfsha -type f", "mkdir -p /run/lock\n")
    assert shown == [
        "CommandFailed iscsiadm made a node record without CHAP: iscsid did not answer; see systemctl status iscsid"
    ]


# From here on iscsiadm is a script: there is no iSCSI in this kernel to log in with.
STAND_IN = r"""
cat >/usr/sbin/iscsiadm <<'END'
#!/bin/sh
echo "$@" >>/run/argv
case "$*" in
*--login) read -r code rest </run/codes; sed -i 1d /run/codes; exit "$code" ;;
*session) exit 21 ;;
*new) ls -l /etc/iscsi/iscsid.conf >/dev/null; grep -q the-nodes-own-secret /etc/iscsi/iscsid.conf ;;
*3260) echo node.session.auth.authmethod = CHAP ;;
esac
END
chmod 755 /usr/sbin/iscsiadm
mkdir -p /run/nfsha
printf '#!/bin/sh\n' >/usr/bin/udevadm
chmod 755 /usr/bin/udevadm
"""
NODE = "-m node -T iqn.2018-08.es.raulpedroche:lun1 -p 192.168.50.20:3260"
NO_LUN = (
    "Refused /dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1: "
    "did not come after the login; on the target: systemctl status nfsha-target tgt; "
    "then here: systemctl start nfsha-node.target"
)
BAD_SECRETS = (
    "Refused 192.168.50.20:3260: the target refuses the CHAP secrets; "
    "make /etc/nfsha/secrets the same on target and nodes, then: systemctl restart nfsha-node.target"
)


@pytest.mark.parametrize(
    ("codes", "logins", "said"),
    [("0", 1, NO_LUN), ("15", 1, NO_LUN), ("8 4 19 0", 4, NO_LUN), ("8 24", 2, BAD_SECRETS)],
)
def test_login_waits_for_the_target(codes: str, logins: int, said: str) -> None:
    wait = f"printf '%s\\n' {codes} >/run/codes\n"
    shown = story("login()", "cat /run/argv", STAND_IN + wait)
    assert shown == [
        said, "-m session", f"{NODE} -o delete", f"{NODE} -o new", NODE, *[f"{NODE} --login"] * logins,
    ]  # fmt: skip


def test_what_the_lun_does_not_answer_is_repeated_without_end(tmp_path: Path) -> None:
    site, paths = load.load_file(load.LAB), Paths(tmp_path)
    iscsi.repeat_without_end(site, paths)
    assert not any(tmp_path.iterdir())
    # udev's link is absent here, and so names the disk itself.
    ours, other = (tmp_path / "sys/block" / name / "device/scsi_disk/0:0:0:1" for name in (Path(site.lun_path).name, "sdz"))
    for disk in (ours, other):
        disk.mkdir(parents=True)
        (disk / "max_retries").write_text("5\n")
    iscsi.repeat_without_end(site, paths)
    assert [(disk / "max_retries").read_text() for disk in (ours, other)] == ["-1\n", "5\n"]
