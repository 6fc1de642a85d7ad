"""Holds a byte-range lock and an open file over everything that happens, and keeps using both."""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from functools import partial

from .record import encode
from .worker import Outcome, Worker
from .writer import append

NAME = "holder"
KINDS = ("heartbeat", "lock", "unlock")
# Both ranges lie far beyond the data, so that no read or write ever touches a locked byte.
HELD_BYTE = 1 << 30
STALL_BYTE = HELD_BYTE + 16
# In pauses: how long the sabotaged holder keeps its lock, and how often an idle one looks whether to stop.
DROP_AFTER = 20
IDLE_LOOK = 10


def try_lock(descriptor: int, byte: int) -> None:
    """Take a write lock on one byte without waiting (F_SETLK); EAGAIN or EACCES where another has it."""
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte, os.SEEK_SET)


def wait_lock(descriptor: int, byte: int) -> None:
    """Take a write lock on one byte and wait for it (F_SETLKW)."""
    fcntl.lockf(descriptor, fcntl.LOCK_EX, 1, byte, os.SEEK_SET)


def unlock(descriptor: int, byte: int) -> None:
    """Give one byte free."""
    fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, byte, os.SEEK_SET)


def work(worker: Worker) -> None:
    """Hold and use the lock until told to stop; a lost one is taken anew, so that a second loss counts."""
    path = worker.path(NAME)
    descriptor: int | None = worker.require(_open(worker, os.O_CREAT | os.O_EXCL), f"cannot create {path}")
    seq = 0
    # The prober may have been quicker, for a moment, when nobody has held the lock yet.
    take = wait_lock
    while descriptor is not None and not worker.stopping:
        if _hold(worker, descriptor, take).ok:
            take = try_lock
            seq = _use(worker, descriptor, seq)
        if not worker.stopping:
            descriptor = _reopen(worker, descriptor)
    if descriptor is not None:
        # Said before it is done: from here on the range may be found free.
        worker.perform("release", partial(unlock, descriptor, HELD_BYTE))


def _open(worker: Worker, flags: int) -> Outcome[int]:
    kind = "create" if flags else "open"
    action = partial(os.open, worker.path(NAME), os.O_RDWR | os.O_APPEND | flags, 0o644)
    return worker.perform(kind, action, name=worker.file(NAME))


def _reopen(worker: Worker, old: int) -> int | None:
    """A new open file in place of one whose lock is lost; None if the run ended meanwhile."""
    with contextlib.suppress(OSError):
        os.close(old)
    while not worker.stopping:
        opened = _open(worker, 0)
        if opened.ok:
            return opened.value
        worker.rest(opened)
    return None


def _hold(worker: Worker, descriptor: int, take: Callable[[int, int], None]) -> Outcome[None]:
    held = worker.perform("hold", partial(take, descriptor, HELD_BYTE))
    worker.rest(held)
    return held


def _use(worker: Worker, descriptor: int, seq: int) -> int:
    """Beat until the lock is lost or the run ends; the number of the last heartbeat.

    Linux answers EIO to any further I/O under a lock that could not be reclaimed (fs/nfs/nfs4state.c,
    nfs4_copy_lock_stateid).
    """
    drop_at = time.monotonic() + DROP_AFTER * worker.settings.pause
    dropped = worker.settings.sabotage != "drop-lock"
    while True:
        last = worker.stopping
        if last or not worker.settings.idle:
            seq += 1
            if not _beat(worker, descriptor, seq):
                return seq
        if last:
            return seq
        worker.rest(times=IDLE_LOOK if worker.settings.idle else 1)
        if not dropped and time.monotonic() >= drop_at:
            dropped = True
            unlock(descriptor, HELD_BYTE)


def _beat(worker: Worker, descriptor: int, seq: int) -> bool:
    """Write a heartbeat, then take and release the range nobody else wants; False if an answer was EIO.

    The delay of the second range is the server's alone.
    """
    record = encode(worker.settings.run, NAME, seq)
    beat = worker.perform("heartbeat", partial(append, descriptor, record), seq=seq)
    worker.rest(beat)
    taken = worker.perform("lock", partial(wait_lock, descriptor, STALL_BYTE))
    given = worker.perform("unlock", partial(unlock, descriptor, STALL_BYTE))
    return "EIO" not in (beat.error, taken.error, given.error)
