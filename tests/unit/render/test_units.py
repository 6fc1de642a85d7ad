"""systemd takes the units together with those of the real packages: no cycle, no key it does not know."""

from __future__ import annotations

import re

import pytest

from nfsha_config.host.health import LETS_GO
from nfsha_config.render import ManagedFile, Owned
from nfsha_config.render.unitname import escape_path
from tests.golden.sites import SITES, rendered

from .machine import on_machine

# rpc.mountd's and exportfs' generator looks the clients up; the program itself is not part of what is rendered.
_READY = """
echo 127.0.0.1 client >>/etc/hosts
printf '#!/bin/sh\\n' >/usr/bin/nfsha
chmod 755 /usr/bin/nfsha
systemctl --quiet enable nfs-server.service nfs-client.target nfs-blkmap.service keepalived.service tgt.service
systemctl --quiet enable iscsid.socket open-iscsi.service
update-rc.d o2cb defaults
update-rc.d ocfs2 defaults
"""
# As Debian 13 has them; in Debian 12 the first is made from /etc/init.d/o2cb, and the other is not there.
_TRIXIE = {
    "o2cb": "[Unit]\nRequires=network.target\nAfter=network.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
    "ExecStart=/usr/sbin/o2cb.init enable\nExecStop=/usr/sbin/o2cb.init disable\n[Install]\nWantedBy=multi-user.target\n",
    "fsidd": "[Unit]\nAfter=local-fs.target\nBefore=nfs-mountd.service nfs-server.service\n"
    "[Service]\nExecStart=/usr/sbin/fsidd\n[Install]\nRequiredBy=nfs-mountd.service nfs-server.service\n",
}
_NODE = {"lab": "nfs1", "three": "store-a"}
_VERIFY = "systemd-analyze verify --generators=yes --man=no default.target"
_CYCLE = "Found ordering cycle"


def _enabled(name: str, host: str) -> str:
    if host == "client":
        return f"{escape_path(SITES[name].client.mount_point)}.automount"
    return "nfsha-target.service" if host == "target" else "nfsha-node.target"


def _ours(name: str, host: str) -> list[str]:
    """The units that are ours or have a drop-in of ours; devices come from udev."""
    found = (re.search(r"/systemd/system/([^/]+?)(\.d/.*)?$", file.path) for file in rendered(name, host))
    return sorted({match[1] for match in found if match and ".device" not in match[1]} - {"fsidd.service"})


def verify(name: str, host: str, before: str = "", files: tuple[ManagedFile, ...] = ()) -> str:
    """What systemd says of starting everything on a host, after the script before; the last line is its exit status."""
    units = " ".join(f"'{unit}'" for unit in _ours(name, host))
    script = f"{_READY}{before}\nsystemctl --quiet enable '{_enabled(name, host)}'\n{_VERIFY} {units}"
    return on_machine((*rendered(name, host), *files), script, check=False)


@pytest.mark.parametrize(
    ("name", "host"), [("lab", "nfs1"), ("lab", "target"), ("lab", "client"), ("three", "store-a"), ("three", "client")],
)  # fmt: skip
def test_starting_everything(name: str, host: str) -> None:
    assert verify(name, host) == "0\n"


@pytest.mark.parametrize("name", ["lab", "three"])
def test_starting_everything_with_the_units_of_debian_13(name: str) -> None:
    """Without the o2cb.init that Debian 13 has: a unit that would start it could not be verified."""
    units = tuple(_unit(f"{unit}.service", text) for unit, text in _TRIXIE.items())
    enable = "printf '#!/bin/sh\\n' >/usr/sbin/fsidd; chmod 755 /usr/sbin/fsidd; systemctl --quiet enable fsidd.service"
    assert verify(name, _NODE[name], enable, units) == "0\n"


def test_whether_the_server_is_enabled_makes_no_difference() -> None:
    """Debian enables it; an admin may not."""
    assert verify("lab", "nfs1", "systemctl --quiet disable nfs-server.service") == "0\n"


def test_the_real_units_are_there() -> None:
    """Else all tests here would pass with nothing to verify."""
    shown = on_machine(rendered("lab", "nfs1"), "ls /lib/systemd/system /etc/init.d /etc/systemd/system/*.wants").split()
    for unit in ("nfs-server.service", "nfs-mountd.service", "nfsdcld.service", "keepalived.service", "tgt.service",
                 "iscsid.service", "open-iscsi.service", "rpc-statd.service", "nfs-client.target"):  # fmt: skip
        assert unit in shown
    assert "o2cb" in shown or "o2cb.service" in shown


def test_who_waits_for_the_lock_waits_for_as_long_as_a_server_may_take_to_end() -> None:
    """TimeoutStopSec to end by itself, and as long again when it was killed (systemd.service(5))."""
    found = next(file.text for file in rendered("lab", "nfs1") if "/nfs-server.service.d/" in file.path)
    assert 2 * int(re.findall(r"^TimeoutStopSec=(\d+)$", found, re.MULTILINE)[0]) == LETS_GO


def _unit(name: str, text: str) -> ManagedFile:
    return ManagedFile(f"/usr/lib/systemd/system/{name}", text, 0o644, Owned.CONFIGURE)


def _dropin(unit: str, text: str) -> tuple[ManagedFile, ...]:
    return (ManagedFile(f"/etc/systemd/system/{unit}.d/test.conf", f"[Unit]\n{text}\n", 0o644, Owned.CONFIGURE),)


def test_the_old_order_of_the_server_is_seen_as_a_cycle() -> None:
    """nfs-utils 1.3 had it, and so the proof of concept's boots went wrong."""
    said = verify("lab", "nfs1", files=_dropin("nfs-server.service", "Before=remote-fs-pre.target"))
    assert _CYCLE in said
    assert ".mount/start" in said and "remote-fs-pre.target/start" in said


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("o2cb.service", "After=srv-nfs4-data.mount"),
        ("nfsha-storage.service", "Before=remote-fs-pre.target\nAfter=remote-fs.target"),
        ("nfsha-active.service", "After=nfs-server.service"),
    ],
)  # fmt: skip
def test_a_cycle_anywhere_in_the_chain_is_seen(unit: str, text: str) -> None:
    assert "cycl" in verify("lab", "nfs1", files=_dropin(unit, text))


@pytest.mark.parametrize("unit", ["nfs-server.service", "srv-nfs4-data.mount"])
def test_an_unknown_key_is_seen(unit: str) -> None:
    assert "Unknown key 'Befoer' in section [Unit]" in verify("lab", "nfs1", files=_dropin(unit, "Befoer=x.target"))


def test_a_program_that_is_not_there_is_seen() -> None:
    assert "/usr/bin/nfsha is not executable" in verify("lab", "nfs1", "rm /usr/bin/nfsha")
