"""Asks from outside, on another client too, whether the lock of a running workload is really held."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import WorkloadError
from .holder import HELD_BYTE, NAME, unlock, wait_lock
from .prober import acquire

_HELD, _FREE, _BROKEN, _NOT_ONE = 0, 1, 2, 3
_LOOK = 0.02


@dataclass(frozen=True)
class Answer:
    """What a probe found: `free` is None where no answer came in time; `seconds` is how long it took."""

    free: bool | None
    seconds: float


def _within(seconds: float, action: Callable[[], int]) -> int | None:
    """Do it in a process of its own; its exit status, or None (and it is killed) if it takes longer.

    A file operation on a server that is away cannot be given up by the process that does it.
    """
    pid = os.fork()
    if pid == 0:
        code = _BROKEN
        try:
            code = action()
        except OSError as error:
            os.write(2, f"nfsha-workload: {error}\n".encode())
        finally:
            os._exit(code)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_LOOK)
    os.kill(pid, signal.SIGKILL)
    return None


def _target(directory: Path, run: str | None) -> Path | None:
    names = [name for name in os.listdir(directory) if name.endswith(f".{NAME}") and run in (None, name[:8])]
    return directory / names[0] if len(names) == 1 else None


def probe(directory: Path, run: str | None, timeout: float, wait: bool) -> Answer:
    """Try the lock of the run in a directory, at once or until it is ours; then let it go.

    WorkloadError if the directory has not exactly one run (or none of that id), or cannot be read.
    """

    def attempt() -> int:
        path = _target(directory, run)
        if path is None:
            return _NOT_ONE
        descriptor = os.open(path, os.O_RDWR)
        if not wait:
            return _FREE if acquire(descriptor) else _HELD
        wait_lock(descriptor, HELD_BYTE)
        unlock(descriptor, HELD_BYTE)
        return _FREE

    start = time.monotonic()
    code = _within(timeout, attempt)
    seconds = time.monotonic() - start
    if code == _NOT_ONE:
        raise WorkloadError(f"{directory}: not exactly one run's lock file in it; say which with --run")
    if code not in (None, _HELD, _FREE):
        raise WorkloadError(f"{directory}: the lock could not be tried")
    return Answer(None if code is None else code == _FREE, seconds)
