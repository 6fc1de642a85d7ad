"""One small write that is forced to the disk: what an acknowledged write of a client needs, too."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from subprocess import Popen

from nfsha_config.run import start

log = logging.getLogger(__name__)

NAME = ".nfsha-probe"
"""The file in the root of a volume; there while a trial lasts."""

# Clients may be able to write there, too: what they put in its place is unlinked, and never followed or overwritten.
_WRITE = 'rm -f "$1" && dd if=/dev/zero of="$1" bs=512 count=1 conv=excl,fsync status=none && rm -f "$1"'

# What a volume in order answers where clients have filled it, or have made something of that name. Another node
# would be told the same.
_ANSWERS = {os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EEXIST, errno.EISDIR)}

# Seconds from the end of a trial to the beginning of the next.
_PAUSE = 10.0


class Trial:
    """Tries a volume again and again, each time in a process of its own: it may hang where nothing can end it.

    `error` is how the last one failed, `answer` what it was told by a volume in order.
    """

    def __init__(self, mount: Path) -> None:
        self.mount = mount
        self.process: Popen[str] | None = None
        self.begun = 0.0
        self.ended = float("-inf")
        self.error = ""
        self.answer = ""

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
        self._judge(self.process.returncode, said.strip().rpartition(": ")[2])
        self.process, self.ended = None, now
        return 0.0

    def _judge(self, status: int, said: str) -> None:
        answer = said if status and said in _ANSWERS else ""
        if answer and answer != self.answer:
            log.warning("%s: the trial of a write ends with: %s; so would another node", self.mount, answer)
        self.answer = answer
        self.error = (said or f"the trial ended with status {status}") if status and not answer else ""

    def _begin(self) -> Popen[str]:
        return start(["sh", "-c", _WRITE, "sh", self.mount / NAME])
