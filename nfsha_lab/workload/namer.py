"""Creates, renames, links and removes files: names that were acknowledged must be there, and only they."""

import errno
import os
from collections import deque
from collections.abc import Callable
from functools import partial

from .record import RECORD_SIZE, encode
from .worker import Outcome, Worker
from .writer import append

NAME = "namer"
KINDS = ("create", "write", "rename", "open", "link", "unlink")
# How many finished files stay, so that a run of hours does not fill the directory.
KEPT = 200


def work(worker: Worker) -> None:
    """One file after the other through its whole life, until told to stop."""
    finished: deque[str] = deque()
    seq = 0
    while not worker.stopping:
        seq += 1
        name = f"file-{seq:08d}"
        if _live(worker, name, seq):
            finished.append(f"{name}.done")
        if len(finished) > KEPT and not worker.stopping:
            _unlink(worker, finished.popleft())


def _live(worker: Worker, name: str, seq: int) -> bool:
    """Lead one file through its steps; False if it was left half-way: a step failed or the run ends."""
    steps = (
        partial(_create, worker, f"{name}.new", seq),
        partial(_move, worker, "rename", f"{name}.new", f"{name}.done"),
        partial(_read, worker, f"{name}.done", seq),
        partial(_move, worker, "link", f"{name}.done", f"{name}.link"),
        partial(_unlink, worker, f"{name}.link"),
    )
    return all(not worker.stopping and step() for step in steps)


def _create(worker: Worker, name: str, seq: int) -> bool:
    """Make and fill a file; EEXIST can answer a repeated request, and then the file is opened as it is."""
    path, full = worker.path(name), worker.file(name)
    flags = os.O_WRONLY | os.O_APPEND
    make = partial(os.open, path, flags | os.O_CREAT | os.O_EXCL, 0o644)
    opened = worker.perform("create", make, name=full)
    if opened.error == "EEXIST":
        opened = worker.perform("open", partial(os.open, path, flags), name=full)
    worker.rest(opened)
    if opened.value is None:
        return False
    descriptor = opened.value
    record = encode(worker.settings.run, NAME, seq)

    def fill() -> None:
        try:
            append(descriptor, record, worker.settings.sabotage != "skip-fsync")
        finally:
            os.close(descriptor)

    filled = worker.perform("write", fill, seq=seq, name=full)
    worker.rest(filled)
    return filled.ok


def _move(worker: Worker, kind: str, old: str, new: str) -> bool:
    """Rename or link; an answer that a repeated request may get counts as done; the check verifies it."""
    actions: dict[str, Callable[..., None]] = {"rename": os.rename, "link": os.link}
    source, target = worker.path(old), worker.path(new)
    moved = worker.perform(kind, partial(actions[kind], source, target), name=worker.file(old), to=worker.file(new))
    return _settle(worker, moved, "ENOENT" if kind == "rename" else "EEXIST")


def _unlink(worker: Worker, name: str) -> bool:
    path = worker.path(name)
    removed = worker.perform("unlink", partial(os.unlink, path), name=worker.file(name))
    return _settle(worker, removed, "ENOENT")


def _read(worker: Worker, name: str, seq: int) -> bool:
    """Open the file again and read it; EBADMSG if it holds anything but its record."""
    path = worker.path(name)

    def read() -> None:
        descriptor = os.open(path, os.O_RDWR)
        try:
            if os.read(descriptor, 2 * RECORD_SIZE) != encode(worker.settings.run, NAME, seq):
                raise OSError(errno.EBADMSG, "content differs")
        finally:
            os.close(descriptor)

    return _settle(worker, worker.perform("open", read, name=worker.file(name)), None)


def _settle(worker: Worker, outcome: Outcome[None], repeated: str | None) -> bool:
    worker.rest(outcome)
    return outcome.ok or outcome.error == repeated


def number(name: str) -> int | None:
    """The number of the file of this name (the run's id comes first); None for a file of another worker."""
    _, _, rest = name.partition(".file-")
    digits = rest.partition(".")[0]
    return int(digits) if digits.isdigit() else None
