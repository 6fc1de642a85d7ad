"""Keeps the lock of one file and does nothing, until told: what an idle client does, or one that waits for another."""

import fcntl
import os
import signal
from pathlib import Path

from .errors import WorkloadError
from .oplog import errno_name

# The last word of a keeper, in its status file: waiting, refused, holds N, lost N ERRNO, free. N counts its uses.
_USE, _FREE = signal.SIGUSR1, signal.SIGTERM
_REFUSED = ("EAGAIN", "EACCES")


def keep(path: Path, status: Path, wait: bool) -> bool:
    """Take the write lock of the whole file (fcntl) and keep it until SIGTERM; False if it was refused or got lost.

    SIGUSR1 uses the file once under the lock. Linux answers EIO to that where the lock could not be reclaimed
    (fs/nfs/nfs4state.c, nfs4_copy_lock_stateid). Both signals wait while the lock is waited for.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (_USE, _FREE))
    _say(status, "waiting")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        name = errno_name(error.errno)
        if name not in _REFUSED:
            raise WorkloadError(f"{path}: {error.strerror}") from None
        _say(status, "refused")
        return False
    return _hold(descriptor, status)


def _hold(descriptor: int, status: Path) -> bool:
    uses, good = 0, True
    _say(status, "holds 0")
    while signal.sigwait((_USE, _FREE)) == _USE:
        uses += 1
        try:
            os.pwrite(descriptor, b"%08d\n" % uses, 0)
            os.fsync(descriptor)
        except OSError as error:
            good = False
            _say(status, f"lost {uses} {errno_name(error.errno)}")
        else:
            _say(status, f"holds {uses}")
    fcntl.lockf(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
    _say(status, "free")
    return good


def _say(status: Path, word: str) -> None:
    """Replace the status file: who reads it finds a whole word."""
    new = status.with_suffix(".new")
    new.write_text(f"{word}\n")
    new.replace(status)
