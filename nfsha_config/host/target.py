"""nfsha-target.service: give the device to tgtd only when it is blank or this site's."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from nfsha_config import render
from nfsha_config.file import read, remove, write
from nfsha_config.host import tgt
from nfsha_config.host.lun import Content, examine
from nfsha_config.paths import Paths
from nfsha_config.problems import NfshaError, Refused
from nfsha_config.run import run
from nfsha_config.site import load, secrets
from nfsha_config.site.model import Site

log = logging.getLogger(__name__)

_SETTLE = 60
"""Seconds that a disk may take to appear."""


def main(paths: Paths) -> None:
    """Write or take away tgtd's file for the LUN, and tell a running tgtd.

    Raises InputError or Refused, also where the file is written and tgtd can't take it yet.
    """
    conf = paths.at("/etc/tgt/conf.d/nfsha.conf")
    before = read(conf)
    try:
        site = load.load_file(paths.site)
        wanted = render.tgt_conf(site, secrets.load(paths.secrets))
        _check(site)
    except NfshaError:
        if remove(conf):
            try:
                tgt.tell(before, None, 0, paths)
            except NfshaError as error:
                log.error("%s", error)
        raise
    changed = write(conf, wanted.text, wanted.mode)
    if changed or tgt.waits(site.storage.portal.port, paths):
        tgt.tell(before, wanted.text, site.storage.portal.port, paths)


def _check(site: Site) -> None:
    device = Path(site.storage.device)
    if not device.exists():
        # At boot, udev may still be at it.
        run(["udevadm", "settle", f"--exit-if-exists={device}", f"--timeout={_SETTLE}"], check=False)
    if not device.exists():
        raise Refused(f"{device} is not there; plug it in, or mend storage.device in /etc/nfsha/site.toml")
    if not device.is_block_device():
        raise Refused(f"{device} is no block device; mend storage.device in /etc/nfsha/site.toml")
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        used = error.errno == errno.EBUSY
        why = "is in use on this machine" if used else f"can't be opened ({error.strerror})"
        raise Refused(f"{device} {why}; it is not served. See: lsblk {device}") from error
    found = examine(device, site)
    if found.content is Content.FOREIGN:
        raise Refused(
            f"{device} holds {found.what}; it is not served. "
            f"If it may be lost, and only then: wipefs --all {device}, then: blkdiscard --zeroout {device}"
        )
    log.info("%s holds %s; it is served", device, found.content.value)
