"""The log of operations on the client's own disk: a line before and one after each, never rewritten."""

import errno
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import WorkloadError

MAGIC = "nfsha-workload"
VERSION = 1
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class OperationLog:
    """An append-only JSON-lines file that several processes share.

    Each line is one write(2) on an O_APPEND descriptor, so lines of different processes never mix.
    No line waits for the disk; `flush` is for the supervisor, which no operation waits for.
    """

    def __init__(self, path: Path) -> None:
        """Make the file; WorkloadError if it exists already (a log tells of one run) or cannot be made."""
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            raise WorkloadError(f"{path}: exists already; a log tells of one run, so name a new file") from None
        except OSError as error:
            raise WorkloadError(f"{path}: cannot be made: {error.strerror}") from None

    def write(self, event: Mapping[str, Any]) -> None:
        """Append one event; WorkloadError if it did not fit in whole (a full disk)."""
        line = (json.dumps(event, separators=(",", ":")) + "\n").encode()
        try:
            written = os.write(self._descriptor, line)
        except OSError as error:
            raise WorkloadError(f"{self.path}: cannot be written: {error.strerror}") from None
        if written != len(line):
            raise WorkloadError(f"{self.path}: only part of a line was written; is the disk full?")

    def header(self, run: str, facts: Mapping[str, Any]) -> None:
        """The first line: which run this is, and both clocks, to lay others' times beside it."""
        clocks = {"boot": boot_id(), "t": now(), "wall": round(time.time(), 6)}
        self.write({"ev": "header", "log": MAGIC, "version": VERSION, "run": run, **clocks, **facts})

    def begin(self, worker: str, number: int, kind: str, facts: Mapping[str, Any]) -> float:
        """Note that an operation starts; its start in seconds of CLOCK_MONOTONIC."""
        start = now()
        self.write({"ev": "begin", "w": worker, "n": number, "kind": kind, "t": start, **facts})
        return start

    def end(self, worker: str, number: int, kind: str, start: float, facts: Mapping[str, Any]) -> None:
        """Note that an operation came back; `facts` has `ok`, and `errno` by name where it failed."""
        self.write({"ev": "end", "w": worker, "n": number, "kind": kind, "t0": start, "t": now(), **facts})

    def clock(self) -> None:
        """Note both clocks again: a guest's wall clock may be set while it runs."""
        self.write({"ev": "clock", "t": now(), "wall": round(time.time(), 6)})

    def fate(self, worker: str, state: str, facts: Mapping[str, Any]) -> None:
        """Note what became of a worker: started, stopped, died or hung."""
        self.write({"ev": "worker", "w": worker, "state": state, "t": now(), **facts})

    def stop(self, reason: str) -> None:
        """The last line of a run that ended in order."""
        self.write({"ev": "stop", "t": now(), "reason": reason})

    def flush(self) -> None:
        """Wait until what was logged is on the disk."""
        os.fdatasync(self._descriptor)


def now() -> float:
    """Seconds of CLOCK_MONOTONIC, to the microsecond."""
    return round(time.monotonic(), 6)


def boot_id() -> str:
    """The kernel's id of this boot: monotonic times of different boots cannot be compared."""
    return BOOT_ID.read_text().strip()


def errno_name(number: int | None) -> str:
    """The symbol of an error number, as in errno(3)."""
    return errno.errorcode.get(number or 0, f"errno {number}")
