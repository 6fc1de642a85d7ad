"""nfsha-storage.service: the session, and once in a cluster's life the partitions and file systems."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from nfsha_config.host import iscsi, machine
from nfsha_config.host.lun import Content, examine, layout, partition_device
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused
from nfsha_config.run import run
from nfsha_config.site import load, secrets
from nfsha_config.site.model import Node, Site

log = logging.getLogger(__name__)

_RETRY = 5.0
_JOURNAL = "4M"
_MKFS_DEADLINE = 900.0


def main(paths: Paths) -> None:
    """Bring the LUN up, ready to be mounted. Raises Refused, InputError or CommandFailed."""
    site = load.load_file(paths.site)
    here = machine.load(paths)
    node = machine.node_of(here, site, os.uname().nodename)
    iscsi.login(site, secrets.load(paths.secrets), paths)
    device = Path(site.lun_path)
    while (found := examine(device, site)).content is not Content.READY:
        if found.content is Content.FOREIGN:
            raise Refused(
                f"{device} holds {found.what}; nfsha neither formats nor mounts it. "
                f"If it may be lost, and only then: wipefs --all {device} and overwrite both ends with zeros"
            )
        if node.number == 1:
            _prepare(device, site, found.content, machine.load(paths).consent)
            machine.withdraw_consent(paths)
        else:
            _wait_for_first(site.nodes[0], device)
    _show_partitions(device)


def logout(paths: Paths) -> None:
    """End the session, when the file systems are unmounted."""
    iscsi.logout(load.load_file(paths.site))


def _wait_for_first(first: Node, device: Path) -> None:
    log.info("%s is blank; waiting for %s to prepare it", device, first.name)
    time.sleep(_RETRY)


def _prepare(device: Path, site: Site, content: Content, consent: str) -> None:
    if consent != str(device):
        raise Refused(
            f"{device} is blank, and nobody has consented to format it; "
            "to consent: dpkg-reconfigure nfsha-node, then: systemctl restart nfsha-node.target"
        )
    if content is Content.BLANK:
        log.info("%s is blank: partitioning it", device)
        run(["sfdisk", "--wipe", "never", "--wipe-partitions", "never", device], stdin=layout(site))
    _show_partitions(device)
    run(["o2cb", "register-cluster", site.cluster.name])
    for number, name, uuid in ((1, "nfsha-state", site.state_uuid), (2, "nfsha-data", site.data_uuid)):
        if not run(["blkid", "--probe", partition_device(device, number)], check=False).stdout:
            log.info("%s: making OCFS2 %s", partition_device(device, number), name)
            _mkfs(partition_device(device, number), site, name, str(uuid))


def _mkfs(partition: Path, site: Site, label: str, uuid: str) -> None:
    """mkfs.ocfs2 without -F: with it, mkfs would not ask the cluster whether the volume is in use."""
    run(
        [
            "mkfs.ocfs2", "-b", "4096", "-C", "4096", "-J", f"size={_JOURNAL}", "-N", str(site.slots), "-L", label,
            "-U", uuid, "--cluster-stack=o2cb", f"--cluster-name={site.cluster.name}", partition,
        ],
        timeout=_MKFS_DEADLINE,
    )  # fmt: skip


def _show_partitions(device: Path) -> None:
    """Make the kernel see partitions that another node made."""
    last = partition_device(device, 2)
    if not last.exists():
        run(["partx", "--update", device], check=False)
        run(["udevadm", "settle", f"--exit-if-exists={last}", "--timeout=60"], check=False)
    if not last.exists():
        raise Refused(f"{last}: did not appear; see `partx --show {device}`")
