"""Has OCFS2 go on as soon as its lock manager has recovered a dead node.

Who recovers a volume wants the lock of the dead node's journal, and sleeps for 10 s where the lock manager has not
recovered the node by then (fs/ocfs2/dlm/dlmmaster.c, dlm_get_lock_resource). That is done within 5 s, but its end wakes
nobody (dlmrecovery.c, dlm_recovery_thread, dlm_wait_for_node_recovery); only who asks for a lock that has no master
yet does (dlm_kick_recovery_thread). A question that was on its way to the node when it was declared dead is asked
again 5 s later (dlm_wait_for_lock_mastery), when the node is recovered for certain. So here one is asked in each
volume in time: for a lock of no meaning, by dlmfs (Documentation/filesystems/dlmfs.rst), as the tools of OCFS2 do it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread

from nfsha_config.paths import Paths

log = logging.getLogger(__name__)


class Nudge:
    """The questions, in the lock domains of some volumes; all of it is a help, and nothing fails without."""

    def __init__(self, domains: Iterable[str], paths: Paths) -> None:
        self.folders = [paths.dlm(domain) for domain in domains]
        self.asking: dict[Path, Thread] = {}
        for folder in self.folders:
            # What was left here would keep the node in the domain when the volume is unmounted.
            _leave(folder)

    def ask(self) -> None:
        """Ask in each volume, unless it is being asked; nobody waits for the answer, which comes with the recovery."""
        for folder in self.folders:
            before = self.asking.get(folder)
            if before is None or not before.is_alive():
                self.asking[folder] = Thread(target=_ask, args=(folder,), name=f"nudge {folder.name}", daemon=True)
                self.asking[folder].start()


def _ask(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
        # A lock that was asked for before has a master for some seconds (dlmthread.c, dlm_run_purge_list).
        os.close(os.open(folder / f"nfsha.{time.monotonic_ns():x}", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        log.info("%s: %s", folder, error.strerror)
    _leave(folder)


def _leave(folder: Path) -> None:
    with suppress(OSError):
        for lock in folder.iterdir():
            lock.unlink()
        folder.rmdir()
