"""Has OCFS2 go on as soon as its lock manager has recovered a dead node.

Who recovers a volume wants the lock of the dead node's journal, and sleeps for 10 s where the lock manager has not
recovered the node after one (fs/ocfs2/dlm/dlmmaster.c, dlm_get_lock_resource). That is done within 5 s, at the lock
manager's next look for dead nodes, but its end wakes nobody (dlmrecovery.c, dlm_recovery_thread,
dlm_wait_for_node_recovery); only who asks for a lock that has no master yet does (dlm_kick_recovery_thread). So one is
asked for in each volume again and again: a lock of no meaning, by dlmfs (Documentation/filesystems/dlmfs.rst), as the
tools of OCFS2 do it. A question that was on its way to the node when it was declared dead is asked again by the kernel
5 s later (dlm_wait_for_lock_mastery), when the node is recovered for certain.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from nfsha_config.paths import Paths

log = logging.getLogger(__name__)

# Seconds between two questions in a volume, and after which none is asked any more: by then the node is recovered.
_AGAIN, _ENOUGH = 0.25, 8.0


class Nudge:
    """The questions, in the lock domains of some volumes; all of it is a help, and nothing fails without."""

    def __init__(self, domains: Iterable[str], paths: Paths) -> None:
        self.folders = [paths.dlm(domain) for domain in domains]
        self.asking: dict[Path, Thread] = {}
        for folder in self.folders:
            # What was left here would keep the node in the domain when the volume is unmounted.
            _leave(folder)

    def ask(self) -> None:
        """Ask in each volume until there is an answer, which comes with the recovery; nobody waits for it."""
        for folder in self.folders:
            before = self.asking.get(folder)
            if before is None or not before.is_alive():
                asking = Thread(target=_keep_asking, args=(folder,), name=f"nudge {folder.name}", daemon=True)
                self.asking[folder] = asking
                asking.start()


def _keep_asking(folder: Path) -> None:
    answered = Event()
    asked: list[Thread] = []
    end = time.monotonic() + _ENOUGH
    while not answered.is_set() and time.monotonic() < end:
        asked.append(Thread(target=_ask, args=(folder, answered), name=f"question {folder.name}", daemon=True))
        asked[-1].start()
        answered.wait(_AGAIN)
    for question in asked:
        question.join()
    _leave(folder)


def _ask(folder: Path, answered: Event) -> None:
    try:
        folder.mkdir(exist_ok=True)
        # A lock that was asked for before has a master for some seconds (dlmthread.c, dlm_run_purge_list).
        os.close(os.open(folder / f"nfsha.{time.monotonic_ns():x}", os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        log.info("%s: %s", folder, error.strerror)
    answered.set()


def _leave(folder: Path) -> None:
    with suppress(OSError):
        for lock in folder.iterdir():
            lock.unlink()
        folder.rmdir()
