"""What every worker shares: its name, its place, the order to stop, and logging around each operation."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

from .errors import WorkloadError
from .oplog import OperationLog, errno_name

Value = TypeVar("Value")

# An operation that failed is likely to fail again at once; the log must not fill with it.
PAUSE_AFTER_FAILURE = 0.5


@dataclass(frozen=True)
class Settings:
    """What a run was asked to do; times in seconds."""

    directory: Path
    run: str
    writers: int
    pause: float
    idle: bool = False
    sabotage: str | None = None


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What an operation gave: a value, or the name of the error."""

    value: Value | None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was acknowledged."""
        return self.error is None


class Worker:
    """One process of the workload."""

    def __init__(self, name: str, settings: Settings, log: OperationLog) -> None:
        """To be made inside the worker's own process: it takes SIGTERM and notes its parent."""
        self.name = name
        self.settings = settings
        self.log = log
        self._number = 0
        self._told = False
        self._parent = os.getppid()
        signal.signal(signal.SIGTERM, self._tell)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True

    @property
    def stopping(self) -> bool:
        """Whether to end: told so, or the supervisor is gone."""
        return self._told or os.getppid() != self._parent

    def path(self, name: str) -> str:
        """The full path of a file of this run; the run's id comes first, so that runs can share one."""
        return os.fspath(self.settings.directory / self.file(name))

    def file(self, name: str) -> str:
        """The name of a file of this run."""
        return f"{self.settings.run}.{name}"

    def perform(self, kind: str, action: Callable[[], Value], **facts: Any) -> Outcome[Value]:
        """Do one operation with a line in the log before and after it; an OSError is an outcome."""
        number = self._number
        self._number += 1
        start = self.log.begin(self.name, number, kind, facts)
        try:
            value = action()
        except OSError as error:
            name = errno_name(error.errno)
            self.log.end(self.name, number, kind, start, {"ok": False, "errno": name})
            return Outcome(None, name)
        extra = {"acquired": value} if kind == "probe" else {}
        self.log.end(self.name, number, kind, start, {"ok": True, **extra})
        return Outcome(value)

    def rest(self, outcome: Outcome[Any] | None = None, times: float = 1) -> None:
        """Pause between operations, longer after a failure; in slices, so that a stop is heard at once."""
        pause = self.settings.pause * times
        if outcome is not None and not outcome.ok:
            pause = max(pause, PAUSE_AFTER_FAILURE)
        until = time.monotonic() + pause
        while not self.stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def require(self, outcome: Outcome[Value], what: str) -> Value:
        """The value of an operation without which the worker cannot work; WorkloadError if it failed."""
        if outcome.value is None:
            raise WorkloadError(f"{self.name}: {what}: {outcome.error}; --dir must exist and be yours")
        return outcome.value
