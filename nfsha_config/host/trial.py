"""One small write that is forced to the disk: what an acknowledged write of a client needs, too."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from nfsha_config.host.attempts import Attempts

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


class Trial(Attempts):
    """The trials of one volume. `error` is how the last one failed, `answer` what it was told by a volume in order."""

    def __init__(self, mount: Path) -> None:
        super().__init__(["sh", "-c", _WRITE, "sh", mount / NAME], _PAUSE)
        self.mount = mount
        self.error = ""
        self.answer = ""

    def _judge(self, status: int, said: str) -> None:
        why = said.rpartition(": ")[2]
        answer = why if status and why in _ANSWERS else ""
        if answer and answer != self.answer:
            log.warning("%s: the trial of a write ends with: %s; so would another node", self.mount, answer)
        self.answer = answer
        self.error = (why or f"the trial ended with status {status}") if status and not answer else ""
