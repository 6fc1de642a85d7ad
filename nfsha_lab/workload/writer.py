"""Appends numbered records and syncs each: what came back from fsync(2) must never be lost."""

import os
from functools import partial

from .record import RECORD_SIZE, encode
from .worker import Worker

# The operations it repeats; each worker names its own.
KINDS = ("write",)


def append(descriptor: int, record: bytes, sync: bool = True) -> None:
    """Write one record and wait until it is on stable storage; OSError also for a short write."""
    if os.write(descriptor, record) != RECORD_SIZE:
        raise OSError(5, "short write")
    if sync:
        os.fsync(descriptor)


def work(worker: Worker) -> None:
    """Append until told to stop; a record that failed is in doubt and the next one has the next number."""
    path, settings = worker.path(worker.name), worker.settings
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
    opened = worker.perform("create", partial(os.open, path, flags, 0o644), name=worker.file(worker.name))
    descriptor = worker.require(opened, f"cannot create {path}")
    sync = settings.sabotage != "skip-fsync"
    seq = 0
    while not worker.stopping:
        seq += 1
        record = encode(settings.run, worker.name, seq)
        worker.rest(worker.perform("write", partial(append, descriptor, record, sync), seq=seq))
