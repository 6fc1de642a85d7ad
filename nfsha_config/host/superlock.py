"""Has OCFS2 recover a dead node's volume in the moment in which its lock manager has recovered the node.

Who recovers a volume takes its super lock, and then the lock of the dead node's journal (fs/ocfs2/journal.c,
__ocfs2_recovery_thread, ocfs2_replay_journal), which a node does not know unless it has recovered that journal before.
Who asks for an unknown lock while the lock manager has a node to recover sleeps for 1 s, and for up to 10 s more where
that is not enough (fs/ocfs2/dlm/dlmmaster.c, dlm_get_lock_resource): the recovery begins within 5 s, and its end does
not wake who waits like that (dlmrecovery.c, dlm_recovery_thread, dlm_wait_for_node_recovery). Who waits for a lock that
another one holds gets it as soon as that one lets go. So the super lock is held here, by dlmfs
(Documentation/filesystems/dlmfs.rst), from before the node is declared dead until the lock manager has recovered it.

Where the dead node holds the super lock or is its master, nobody gets it before that, which is as good. But a node that
mounted last has it still, and asks no master for it: it is taken from there while the other node lives.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread

from nfsha_config.host.write import read
from nfsha_config.paths import Paths

log = logging.getLogger(__name__)

# fs/ocfs2/dlmglue.c, ocfs2_build_lock_name: the kind, six zeros, the block in 16 digits, the generation in 8.
_NAME = f"S{0:06}{2:016x}{0:08x}"
# The nodes that are in a domain, and those that are to be recovered.
_MAPS = ("Domain Map", "Recovery Map")
# Seconds between two looks at the lock manager.
_LOOK = 0.05
# Seconds for which it is held at the most: longer than o2cb's threshold as nfsha sets it, and the recovery.
_LIMIT = 60.0
# Seconds for a lock that one has to be gone.
_LEAVE = 1.0


class SuperLock:
    """The super locks of some volumes; all of it is a help, and nothing fails without."""

    def __init__(self, domains: Iterable[str], other: int, paths: Paths) -> None:
        """`other` is the number of the node that may die."""
        self.paths, self.other = paths, other
        # Two that come and go with one file leave a lock that nobody ever gets (fs/ocfs2/dlmfs/userdlm.c).
        self.folders = {paths.dlm(domain): Lock() for domain in domains}
        self.over = Event()
        self.threads: list[Thread] = []

    def loosen(self) -> None:
        """Take it from the file system of this node, and let go; with it goes what an earlier run left in dlmfs.

        That would keep the node in the domain when the volume is unmounted. Nobody waits for it: another node may be
        mounting.
        """
        self._begin(lambda folder: True)

    def hold(self) -> None:
        """Hold it until the lock manager has recovered the other node, or `release`; nobody waits for it."""
        self.release()
        self.over = Event()
        self._begin(self._recovered)

    def release(self) -> None:
        """Let go of what is held: the other node lives."""
        self.over.set()

    def leave(self) -> None:
        """Let go, and wait until nothing is left in dlmfs; what waits for another node's answer is not waited for."""
        self.release()
        for thread in self.threads:
            thread.join(_LEAVE)

    def _begin(self, enough: Callable[[Path], bool]) -> None:
        self.threads = [thread for thread in self.threads if thread.is_alive()]
        for folder, alone in self.folders.items():
            asked = (folder, alone, enough, self.over)
            thread = Thread(target=_hold, args=asked, name=f"super lock {folder.name}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def _recovered(self, folder: Path) -> bool:
        """Whether the other node is neither in the domain nor being recovered (fs/ocfs2/dlm/dlmdebug.c)."""
        state = read(self.paths.dlm_state(folder.name)) or ""
        among = (line.partition(":") for line in state.splitlines())
        return not any(str(self.other) in nodes.split() for name, _, nodes in among if name in _MAPS)


def _hold(folder: Path, alone: Lock, enough: Callable[[Path], bool], over: Event) -> None:
    try:
        with alone, _locked(folder):
            deadline = time.monotonic() + _LIMIT
            while not enough(folder) and not over.wait(_LOOK) and time.monotonic() < deadline:
                pass
    except OSError as error:
        log.info("%s: %s", folder, error.strerror)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    try:
        # To write is to be alone with it.
        lock = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield
        finally:
            os.close(lock)
    finally:
        _leave(folder)


def _leave(folder: Path) -> None:
    with suppress(OSError):
        for lock in folder.iterdir():
            lock.unlink()
        folder.rmdir()
