"""A LUN that holds anything foreign is refused by node and target, named, and left as it is."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import pytest

from nfsha_config.site import load as site_load
from nfsha_lab import process
from nfsha_lab.cluster import Cluster
from nfsha_lab.log import step
from nfsha_lab.machine import Machine

SITE = site_load.load_file(site_load.LAB)
DEVICE, LUN = SITE.storage.device, SITE.lun_path
OCFS2 = "mkfs.ocfs2 -q -F -b 4096 -C 4096 -J size=4M -N 2 --cluster-stack=o2cb --cluster-name=other -L theirs"
SFDISK = "sfdisk --quiet --no-reread --no-tell-kernel"
# Debian 13 has no mkfs.ext4 unless it is asked for.
EXT4 = "{ command -v mkfs.ext4 || apt-get install --quiet --yes e2fsprogs; } >/dev/null && mkfs.ext4"

FOREIGN = {
    "ext4": (f"{EXT4} -q -F -E lazy_itable_init=1 {LUN}", "ext4"),
    "a partition table": (f"echo ',,L' | {SFDISK} --label dos {LUN}", "dos partition table"),
    "OCFS2 of another site": (f"{OCFS2} {LUN} </dev/null", "ocfs2 (LABEL theirs"),
}
RANDOM_END = f"head -c 4096 /dev/urandom | dd of={LUN} bs=4096 seek=262143 conv=fsync"
_SHA256_OF_BAD = "dd if={} bs=64K count=128 conv=noerror,sync iflag=direct 2>/dev/null | sha256sum"


@pytest.fixture
def idle(cluster: Cluster) -> Cluster:
    """Nobody uses the LUN; the first node has a session, and nothing to do with it."""
    with step("taking the cluster down"):
        for node in cluster.nodes:
            node.succeed("systemctl stop keepalived && systemctl stop srv-nfs4-data.mount var-lib-nfs.mount o2cb", 300)
        cluster.nodes[1].succeed("systemctl stop nfsha-storage")
    return cluster


def test_unknown_data_is_refused_and_kept(idle: Cluster) -> None:
    _assert_refused_and_kept(idle, RANDOM_END, "unknown data")


@pytest.mark.long
def test_foreign_content_is_refused_and_kept(idle: Cluster) -> None:
    for name, (make, named) in FOREIGN.items():
        with step(f"the LUN holds {name}"):
            _assert_refused_and_kept(idle, make, named)


def _assert_refused_and_kept(idle: Cluster, make: str, named: str) -> None:
    """Consent is given when the content is there: a node that failed tries again by itself, and would format a blank LUN."""
    node, target = idle.nodes[0], idle.target
    _blank(node)
    node.succeed(f"({make}) && sync && blockdev --flushbufs {LUN}", 300)
    before = _digest(target)
    consent(node)
    assert_refused(node, "nfsha-storage", LUN, named)
    assert not consented(node), "it would be good for the day on which somebody else erases the LUN"
    assert_refused(target, "nfsha-target", DEVICE, named)
    target.fail("test -e /etc/tgt/conf.d/nfsha.conf")
    assert _digest(target) == before, f"{named}: the LUN was written to"


@pytest.mark.long
def test_read_error_is_not_taken_for_blank(idle: Cluster) -> None:
    node, target = idle.nodes[0], idle.target
    consent(node)
    bad = _bad_disk(target)
    before = target.succeed(_SHA256_OF_BAD.format(bad))
    swap = "tgtadm --lld iscsi --mode logicalunit --tid 1 --lun 1 --op"
    target.succeed(f"{swap} delete && {swap} new --backing-store {bad}")
    assert_refused(node, "nfsha-storage", LUN, "can't be read")
    target.succeed(f"sed -i 's,^device = .*,device = \"{bad}\",' /etc/nfsha/site.toml")
    assert_refused(target, "nfsha-target", bad, "can't be read")
    target.fail("test -e /etc/tgt/conf.d/nfsha.conf")
    assert target.succeed(_SHA256_OF_BAD.format(bad)) == before


def _bad_disk(target: Machine) -> str:
    """A disk of the LUN's size, all zero, whose sectors from 0x1234 on have medium errors (scsi_debug, opts=2)."""
    target.succeed("modprobe scsi_debug virtual_gb=1 dev_size_mb=8 opts=2 && udevadm settle")
    return target.succeed("ls /dev/disk/by-id/scsi-*[!0-9] /dev/disk/by-id/scsi-* | grep -v part | head -n 1").strip()


@pytest.mark.long
def test_blank_lun_without_consent_is_refused_and_with_it_prepared(idle: Cluster) -> None:
    node = idle.nodes[0]
    _blank(node)
    before = _digest(idle.target)
    assert_refused(node, "nfsha-storage", LUN, "nobody has consented")
    assert _digest(idle.target) == before
    consent(node)
    for machine in idle.nodes:
        machine.succeed("systemctl restart --no-block nfsha-node.target nfsha-storage")
    idle.serving()
    assert not consented(node), "a consent is good for one formatting"


def consent(node: Machine) -> None:
    """As dpkg-reconfigure would."""
    node.write_file("/etc/nfsha/host.toml", f'node = "{node.name}"\nconsent_to_format = "{LUN}"\n')


def consented(node: Machine) -> bool:
    """Whether the node may format the LUN."""
    return 'consent_to_format = ""' not in node.succeed("cat /etc/nfsha/host.toml")


def assert_refused(machine: Machine, unit: str, device: str, named: str) -> None:
    """The unit fails at once, and says in one line what it found and where."""
    machine.succeed(f"systemctl reset-failed {unit} || true")
    cursor = machine.succeed("journalctl -n 0 --show-cursor -q").split()[-1]
    status = machine.run(f"systemctl restart {unit}", 180).status
    said = machine.succeed(f"journalctl -o cat --no-pager -u {unit} --after-cursor='{cursor}'")
    assert status, f"{machine.name}: {unit} did not fail:\n{said}"
    lines = [line for line in said.splitlines() if device in line and named in line]
    assert lines, f"{machine.name}: {unit} does not name {device} and {named!r}:\n{said}"


def _blank(node: Machine) -> None:
    node.succeed(f"wipefs --quiet --all --force {LUN}; for at in 0 1016; do dd if=/dev/zero of={LUN} bs=1M count=8 seek=$at; done")
    node.succeed(f"dd if=/dev/zero of={LUN} bs=1M count=128 conv=fsync && blockdev --flushbufs {LUN}", 300)


def _digest(target: Machine) -> str:
    """SHA-256 of the LUN's whole content, computed on the host from the machine's disk."""
    target.succeed(f"sync; blockdev --flushbufs {DEVICE}")
    disk = next(disk for disk in target.qemu.disks if disk.stem == "lun")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        raw = Path(folder) / "lun.raw"
        process.run(["qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", disk, raw], timeout=120)
        with raw.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
