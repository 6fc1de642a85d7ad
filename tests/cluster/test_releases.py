"""Two releases of Debian in one cluster, as while its nodes are upgraded one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from nfsha_lab import upgrade
from nfsha_lab.cluster import Cluster
from nfsha_lab.image import Image, find_or_make
from nfsha_lab.install import find_or_build
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine
from tests.pages import Run, Walk
from tests.reader import REBOOT, Reader, assert_unasked, renew, typed

pytestmark = pytest.mark.long

_PAGE = "docs/howto/upgrade-debian.md"

_OTHER = {"bookworm": ("trixie", "13"), "trixie": ("bookworm", "12"), "forky": ("trixie", "13")}
# Seconds for one run of apt. Emulated on two busy cores, the first step took 11 minutes and the second one 16.
_UPGRADE_SECONDS = 3600.0


@contextmanager
def changed(machine: Machine) -> Iterator[None]:
    """A machine may have another kernel or image until the context ends: its next start, after the story, is the old one's."""
    before = machine.qemu
    try:
        yield
    finally:
        machine.qemu = before


@contextmanager
def renewed(machine: Machine, image: Image) -> Iterator[None]:
    """A new machine in the old one's place, of another release, until the context ends."""
    with changed(machine):
        machine.crash()
        machine.qemu = replace(machine.qemu, image=image)
        renew(machine, "root")
        yield


def test_a_mixed_pair(cluster: Cluster, load: Load, reader: Reader) -> None:
    """The standby comes back with another release: it serves, hands back, and each takes over from the other that dies."""
    old = reader.look()
    new = cluster.other(old)
    release, number = _OTHER[cluster.lab.release]
    image = find_or_make(cluster.lab.folders, release)
    with cluster.one_server_at_most():
        typed(new, "nfsha maintenance on && apt-get purge nfsha-node")
        with renewed(new, image):
            assert f'VERSION_ID="{number}"' in new.succeed("cat /etc/os-release")
            reader.install(new)
            assert cluster.settle() is old
            for heir in (new, old):
                old.succeed("nfsha switchover")
                load.wait_until_writes()
                assert cluster.settle() is heir
            for dead, heir in ((old, new), (new, old)):
                dead.crash()
                load.wait_until_writes()
                assert cluster.serving() is heir
                dead.start()
                dead.wait_until_booted()
                assert cluster.settle() is heir
            cluster.assert_healthy()
            load.stop_and_check(crash=True)


def test_upgrade_debian(cluster: Cluster, load: Load, reader: Reader, tmp_path: Path) -> None:
    """The page: the standby, and then the other node, each in place and with its own new kernel, while the other one serves."""
    if cluster.lab.release != "bookworm":
        pytest.skip("the page goes from Debian 12 to 13, and these machines have another release")
    first = reader.look()
    second = cluster.other(first)
    _offer_upgrade(cluster, tmp_path)
    with changed(first), changed(second), cluster.one_server_at_most(), reader.walk(_PAGE) as page:
        page.places |= {"standby": _shell(second, tmp_path), "serving": _shell(first, tmp_path)}
        _upgrade(page, ["standby", "standby"], second, first)
        load.wait_until_writes()
        assert cluster.settle() is first
        page.step("serving")
        load.wait_until_writes()
        assert cluster.settle() is second
        _upgrade(page, ["serving"], first, second)
        load.wait_until_writes()
        assert cluster.settle() is second
        page.step("standby")
        second.succeed("nfsha switchover")
        load.wait_until_writes()
        assert cluster.settle() is first
        cluster.assert_healthy()
        load.stop_and_check()


def _offer_upgrade(cluster: Cluster, folder: Path) -> None:
    served = folder / "served"
    served.mkdir()
    status = cluster.nodes[0].read_file("/var/lib/dpkg/status").decode()
    archive = upgrade.find_or_fetch(cluster.lab.folders, _OTHER[cluster.lab.release][0], status)
    upgrade.publish(cluster.lab, archive, find_or_build(cluster.lab.folders).archive, served)
    for node in cluster.nodes:
        upgrade.offer(node, cluster.lab.release)


def _shell(machine: Machine, folder: Path) -> Run:
    """Where the page's reader types: apt upgrades the laboratory's agent, too, and a reboot has no boot loader."""

    def run(command: str) -> str:
        if command != REBOOT:
            return typed(machine, command, apart=_UPGRADE_SECONDS)
        upgrade.boot_own_kernel(machine, folder / machine.name)
        return ""

    return run


def _upgrade(page: Walk, wheres: Sequence[str], node: Machine, other: Machine) -> None:
    """One node's part of the page: the blocks up to the reboot, the reboot, and the way back into the cluster."""
    kernel, boot = node.succeed("uname -r").strip(), other.boot_id()
    page.step(*wheres)
    assert_unasked(node, "nfsha-node")
    node.succeed("sha256sum --check --quiet /var/lib/nfsha/nfsha-node.files")
    assert typed(node, "nfsha plan nfsha-node") in ("", "/etc/default/o2cb\n")
    assert "\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded" in typed(node, "apt-get --simulate full-upgrade")
    # What the old kernel may still have to load until the reboot.
    node.succeed(f"modinfo --set-version {kernel} --field filename ocfs2 ocfs2_dlm nfsd iscsi_tcp softdog")
    page.step(wheres[-1], wheres[-1])
    assert node.succeed("uname -r").strip() != kernel
    assert other.boot_id() == boot
