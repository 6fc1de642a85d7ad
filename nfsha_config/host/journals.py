"""Keeps the journals of OCFS2 out of the page cache, so that a recovery reads what the dead node wrote.

blkid, as udev runs it, reads a mounted volume through the block device's page cache, and its read-ahead leaves pages
there that never learn what another node writes later. The journal of a dead node is replayed through the same cache:
ocfs2_force_read_journal (fs/ocfs2/journal.c) reads again only what has buffers, such pages have none (mpage_readahead),
and jread (fs/jbd2/recovery.c) takes them for valid. The replay then ends at the first old block, and all that the dead
node committed after it is lost.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from nfsha_config.host.lun import volume_devices
from nfsha_config.host.volume import Extent, extents, slots
from nfsha_config.paths import Paths
from nfsha_config.site import load
from nfsha_config.site.model import Site

log = logging.getLogger(__name__)

# Seconds. Less than the shortest time after which a node counts as dead, (7 - 1) * 2 s (o2cb.sysconfig(5)): what was
# read while the node lived is gone from the cache before its journal is replayed.
_INTERVAL = 5.0

# Bytes. A folio that is only partly in the range stays; none is larger (mm/internal.h, a PMD), and all are aligned.
_FOLIO = 2 * 2**20


def main(paths: Paths) -> None:
    """Drop all journals of both volumes from the page cache, again and again, until stopped.

    Raises Refused or CommandFailed where they can't be found, OSError where a device can't be opened.
    """
    site = load.load_file(paths.site)
    journals = find_all(site)
    log.info("keeping %d journals out of the page cache", len(journals))
    while True:
        drop(journals)
        time.sleep(_INTERVAL)


def find_all(site: Site) -> list[Extent]:
    """Where the journals of both volumes lie. Raises Refused or CommandFailed."""
    return [extent for device in volume_devices(site) for extent in find(device)]


def find(device: Path) -> list[Extent]:
    """Where the journals of a volume lie, one a slot."""
    return [extent for slot in range(slots(device)) for extent in extents(device, f"journal:{slot:04d}")]


def drop(journals: list[Extent]) -> None:
    """Take clean pages out of the page cache (posix_fadvise(2), POSIX_FADV_DONTNEED)."""
    for device in dict.fromkeys(extent.device for extent in journals):
        descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
        try:
            for extent in journals:
                if extent.device == device:
                    start = extent.start // _FOLIO * _FOLIO
                    end = -(-(extent.start + extent.size) // _FOLIO) * _FOLIO
                    os.posix_fadvise(descriptor, start, end - start, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
