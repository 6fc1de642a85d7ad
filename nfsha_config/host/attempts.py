"""A program that is run again and again, each time in a process of its own: it may hang where nothing can end it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen

from nfsha_config.run import start


class Attempts(ABC):
    """One program, begun anew `pause` seconds after its last end."""

    def __init__(self, argv: Sequence[str | Path], pause: float) -> None:
        self.argv, self.pause = argv, pause
        self.process: Popen[str] | None = None
        self.begun = 0.0
        self.ended = float("-inf")

    def hurry(self) -> None:
        """Let the next look begin it."""
        self.ended = float("-inf")

    def excuse(self, now: float) -> None:
        """That it hangs is no fault of its own: what it is counted by begins anew."""
        self.begun = now

    def look(self, now: float) -> float:
        """Begin it when it is time; return for how many seconds one has hung. now: seconds of the monotonic clock."""
        if self.process is None and now - self.ended >= self.pause:
            self.begun = now
            self.process = start(self.argv)
        if self.process is None:
            return 0.0
        if self.process.poll() is None:
            return now - self.begun
        said = self.process.stderr.read() if self.process.stderr else ""
        self._judge(self.process.returncode, said.strip())
        self.process, self.ended = None, now
        return 0.0

    @abstractmethod
    def _judge(self, status: int, said: str) -> None:
        """What its exit status and its errors mean."""
