"""Tries to take the lock that the holder says it has: success means that the lock protects nothing."""

import errno
import os
from functools import partial

from .holder import HELD_BYTE, try_lock, unlock
from .holder import NAME as HOLDER
from .worker import Worker

NAME = "prober"
KINDS = ("probe",)
# In pauses: a probe proves something only now and then, and the other workers shall have the processor.
EVERY = 10


def acquire(descriptor: int) -> bool:
    """Whether the held range could be taken; it is given back at once."""
    try:
        try_lock(descriptor, HELD_BYTE)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    unlock(descriptor, HELD_BYTE)
    return True


def work(worker: Worker) -> None:
    """Probe until told to stop, through an open file of its own."""
    path = worker.path(HOLDER)
    while not worker.stopping and not os.path.exists(path):
        worker.rest()
    if worker.stopping:
        return
    opened = worker.perform("open", partial(os.open, path, os.O_RDWR), name=worker.file(HOLDER))
    descriptor = worker.require(opened, f"cannot open {path}")
    while not worker.stopping:
        worker.rest(worker.perform("probe", partial(acquire, descriptor)), times=EVERY)
