"""One small write that is forced to the disk: what an acknowledged write of a client needs, too."""

from __future__ import annotations

from pathlib import Path
from subprocess import Popen

from nfsha_config.run import start

NAME = ".nfsha-probe"
"""The file in the root of a volume; there while a trial lasts."""

_WRITE = 'dd if=/dev/zero of="$1" bs=512 count=1 conv=fsync status=none && rm "$1"'

# Seconds from the end of a trial to the beginning of the next.
_PAUSE = 10.0


class Trial:
    """Tries a volume again and again, each time in a process of its own: it may hang where nothing can end it."""

    def __init__(self, mount: Path) -> None:
        self.mount = mount
        self.process: Popen[str] | None = None
        self.begun = 0.0
        self.ended = float("-inf")
        self.error = ""

    def look(self, now: float) -> float:
        """Begin a trial when it is time; return for how many seconds one has hung. `error` is how the last ended."""
        if self.process is None and now - self.ended >= _PAUSE:
            self.begun = now
            self.process = self._begin()
        if self.process is None:
            return 0.0
        if self.process.poll() is None:
            return now - self.begun
        said = self.process.stderr.read() if self.process.stderr else ""
        self.error = ""
        if self.process.returncode:
            self.error = said.strip().rpartition(": ")[2] or f"the trial ended with status {self.process.returncode}"
        self.process, self.ended = None, now
        return 0.0

    def _begin(self) -> Popen[str]:
        return start(["sh", "-c", _WRITE, "sh", self.mount / NAME])
