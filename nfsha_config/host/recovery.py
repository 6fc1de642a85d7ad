"""Has OCFS2 recover a dead node's volume in the moment in which its lock manager has recovered the node.

Who recovers a volume takes its super lock, and then the lock of the dead node's journal (fs/ocfs2/journal.c,
__ocfs2_recovery_thread, ocfs2_replay_journal), which a node does not know unless it has recovered that journal before.
Who asks for an unknown lock while the lock manager has a node to recover sleeps for 1 s, and for up to 10 s more where
that is not enough (fs/ocfs2/dlm/dlmmaster.c, dlm_get_lock_resource): the recovery begins within 5 s, and its end does
not wake who waits like that (dlmrecovery.c, dlm_recovery_thread, dlm_wait_for_node_recovery). Who waits for a lock that
another one holds gets it as soon as that one lets go. So the super lock is held here from before the node is declared
dead until the lock manager has recovered it.

Where the dead node holds the super lock or is its master, nobody gets it before that, which is as good. But a node that
mounted last has it still, and asks no master for it: it is taken from there while the other node lives.

Who was waiting for the dead node's answer when the connection broke sleeps for 5 s, and with him on this node all that
want the same lock, such as that of a directory (dlmrecovery.c, dlm_wait_for_node_death). He sleeps where the recovery
itself does, and who asks for an unknown lock wakes both (dlmmaster.c, dlm_get_lock_resource; dlm_kick_recovery_thread):
the recovery goes to sleep again, but he goes on. So one is asked for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread

from nfsha_config.host.dlm import Domain
from nfsha_config.paths import Paths

log = logging.getLogger(__name__)

# fs/ocfs2/dlmglue.c, ocfs2_build_lock_name: the kind, six zeros, the block in 16 digits, the generation in 8.
_SUPER = f"S{0:06}{2:016x}{0:08x}"
# Seconds between two looks at the lock manager.
_LOOK = 0.05
# Seconds for which it is held at the most: longer than o2cb's threshold as nfsha sets it, and the recovery.
_LIMIT = 60.0
# Seconds for a lock that one has to be gone.
_LEAVE = 1.0

_Task = Callable[[Domain, Event], None]


class Recovery:
    """That of some volumes from one node's death; all of it is a help, and nothing fails without."""

    def __init__(self, domains: Iterable[str], other: int, paths: Paths) -> None:
        """`other` is the number of the node that may die."""
        self.other = other
        self.domains = [Domain(name, paths) for name in domains]
        self.alone = {domain: Lock() for domain in self.domains}
        self.over = Event()
        self.threads: list[Thread] = []

    def loosen(self) -> None:
        """Take the super lock from the file system of this node, and let go; with it goes what an earlier run left.

        Nobody waits for it: another node may be mounting.
        """
        self._begin("super lock", self._loosen)

    def hasten(self) -> None:
        """Before the other node is declared dead: until it is recovered, or `release`. Nobody waits for it."""
        self.release()
        self.over = Event()
        self._begin("super lock", self._hold)
        self._begin("sleepers", self._wake)

    def release(self) -> None:
        """Let go of what is held: the other node lives."""
        self.over.set()

    def leave(self) -> None:
        """Let go, and wait until nothing is left in dlmfs; what waits for another node's answer is not waited for."""
        self.release()
        for thread in self.threads:
            thread.join(_LEAVE)

    def _begin(self, name: str, task: _Task) -> None:
        self.threads = [thread for thread in self.threads if thread.is_alive()]
        for domain in self.domains:
            thread = Thread(target=_attempt, args=(task, domain, self.over), name=f"{name} {domain.name}", daemon=True)
            thread.start()
            self.threads.append(thread)

    def _loosen(self, domain: Domain, _: Event) -> None:
        with self.alone[domain]:
            domain.clear()
            with domain.lock(_SUPER):
                pass

    def _hold(self, domain: Domain, over: Event) -> None:
        with self.alone[domain], domain.lock(_SUPER):
            _await(lambda: domain.recovered(self.other), over)

    def _wake(self, domain: Domain, over: Event) -> None:
        if _await(lambda: domain.dead(self.other), over):
            with domain.lock(f"nfsha-{time.monotonic_ns()}"):
                pass


def _attempt(task: _Task, domain: Domain, over: Event) -> None:
    try:
        task(domain, over)
    except OSError as error:
        log.info("%s: %s", domain.folder, error.strerror)


def _await(enough: Callable[[], bool], over: Event) -> bool:
    """Whether it came, before all was over or too late."""
    deadline = time.monotonic() + _LIMIT
    while not enough():
        if over.wait(_LOOK) or time.monotonic() >= deadline:
            return False
    return True
