"""nfsha-storage.service: the session, and once in a cluster's life the partitions and file systems."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nfsha_config.file import read
from nfsha_config.host import fence, iscsi, machine, mounts
from nfsha_config.host.lun import Content, Found, examine, layout, partition_device, volume_devices
from nfsha_config.host.volume import slots
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused
from nfsha_config.render import NODE
from nfsha_config.run import run
from nfsha_config.site import load, secrets
from nfsha_config.site.model import Node, Site

log = logging.getLogger(__name__)

_RETRY = 5.0
_JOURNAL = "4M"
_MKFS_DEADLINE = 900.0
# Seconds; mkfs.ocfs2 takes some, and meanwhile a partition holds what no one can name yet.
_SETTLE = 30.0


def main(paths: Paths) -> None:
    """Bring the LUN up, ready to be mounted. Raises Refused, InputError or CommandFailed."""
    site = load.load_file(paths.site)
    here = machine.load(paths)
    node = machine.node_of(here, site, os.uname().nodename)
    iscsi.login(site, secrets.load(paths.secrets), paths)
    fence.wait_until_admitted(site, node.number)
    device = Path(site.lun_path)
    found = examine(device, site)
    if found.content is not Content.READY and node.number == 1:
        _prepare(device, site, found, here.consent, paths)
    elif found.content is not Content.READY:
        _wait_for_first(device, site, found)
    # Also where there was nothing to format: it would be good for a blank disk that comes one day.
    machine.withdraw_consent(paths)
    _show_partitions(device)
    _check_slots(site, node)


def _check_slots(site: Site, node: Node) -> None:
    """A node that was added to the site later may have no slot yet. The first ones have theirs, and go on without more.

    mount.ocfs2 would say that there is no space left.
    """
    few = [device for device in volume_devices(site) if slots(device) < node.number]
    if few:
        raise Refused(
            f"{', '.join(map(str, few))}: made for fewer nodes than this one's number, {node.number}; "
            f"when no node has them mounted, on one of the others: "
            f"tunefs.ocfs2 --yes --node-slots {site.slots} DEVICE, for each"
        )


def logout(paths: Paths) -> None:
    """End the session that was begun. Raises Refused while a volume is mounted."""
    mounts.refuse_mounted(paths)
    # The file may name another portal by now.
    begun_with = load.known(read(paths.configured_site(NODE)), "")
    iscsi.logout(begun_with or load.load_file(paths.site))


def _wait_for_first(device: Path, site: Site, found: Found) -> None:
    """Look until both volumes are there, as long as it takes. Raises Refused for what is not of the first node."""
    deadline = time.monotonic() + _SETTLE
    while found.content is not Content.READY:
        if found.content is not Content.FOREIGN:
            deadline = time.monotonic() + _MKFS_DEADLINE
            log.info("%s holds %s; waiting for %s to prepare it", device, found.content.value, site.nodes[0].name)
        elif time.monotonic() > deadline:
            raise _foreign(device, found)
        time.sleep(_RETRY)
        found = examine(device, site)


def _foreign(device: Path, found: Found, more: str = "") -> Refused:
    return Refused(
        f"{device} holds {found.what}; nfsha neither formats nor mounts it. "
        f"If it may be lost, and only then: wipefs --all {device}, then: blkdiscard --zeroout {device}{more}"
    )


def _prepare(device: Path, site: Site, found: Found, consent: str, paths: Paths) -> None:
    if found.content is Content.FOREIGN:
        # Else the next attempt, which comes by itself, would format what somebody else has erased for his own use.
        machine.withdraw_consent(paths)
        raise _foreign(device, found, ", then consent anew: dpkg-reconfigure nfsha-node")
    if consent != str(device):
        raise Refused(
            f"{device} is blank, and nobody has consented to format it; "
            "to consent: dpkg-reconfigure nfsha-node, which goes on from here"
        )
    if found.content is Content.BLANK:
        log.info("%s is blank: partitioning it", device)
        run(["sfdisk", "--wipe", "never", "--wipe-partitions", "never", device], stdin=layout(site))
        found = examine(device, site)
    _show_partitions(device)
    volumes = {1: ("nfsha-state", site.state_uuid), 2: ("nfsha-data", site.data_uuid)}
    with _registered(site, paths):
        for number in found.blank:
            name, uuid = volumes[number]
            log.info("%s: making OCFS2 %s", partition_device(device, number), name)
            _mkfs(partition_device(device, number), site, name, str(uuid))
    made = examine(device, site)
    if made.content is not Content.READY:
        holds = made.what or made.content.value
        raise Refused(f"{device} was formatted, and yet holds {holds}; does another machine write to it?")


@contextmanager
def _registered(site: Site, paths: Paths) -> Iterator[None]:
    """The cluster is known to the kernel, so that mkfs can ask it; o2cb.service, which comes later, sets its timings.

    That service leaves a cluster alone which it finds registered (o2cb's init script), so ours is gone by then.
    """
    name = site.cluster.name
    if paths.at(f"/sys/kernel/config/cluster/{name}").exists():
        yield
        return
    run(["o2cb", "register-cluster", name])
    try:
        yield
    finally:
        run(["o2cb", "unregister-cluster", name])


def _mkfs(partition: Path, site: Site, label: str, uuid: str) -> None:
    """mkfs.ocfs2 without -F: with it, mkfs would not ask the cluster whether the volume is in use.

    Without discontig-bg: with it, kernels that check the size of a group's bitmap (Debian's 6.1.0-56 is one) take the
    root directory's own group for corrupt when nfsd looks a parent up, and make the volume read-only
    (fs/ocfs2/suballoc.c, ocfs2_validate_gd_parent; fs/ocfs2/ocfs2_fs.h, ocfs2_group_bitmap_size).
    """
    run(
        [
            "mkfs.ocfs2", "-b", "4096", "-C", "4096", "-J", f"size={_JOURNAL}", "-N", str(site.slots), "-L", label,
            "-U", uuid, "--fs-features=nodiscontig-bg", "--cluster-stack=o2cb",
            f"--cluster-name={site.cluster.name}", partition,
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
