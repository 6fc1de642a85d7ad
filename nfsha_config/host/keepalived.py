"""Whether keepalived does its work, and not only exists."""

from __future__ import annotations

import logging
import re

from nfsha_config.file import content, read
from nfsha_config.paths import Paths
from nfsha_config.run import run

log = logging.getLogger(__name__)

PID = "/run/keepalived.pid"

# Seconds without an advertisement of a master, or of a process that was stopped, after which it is ended.
_PATIENCE = 5.0
# proc(5), the third field of stat.
_STOPPED = ("T", "t")
_PACKETS = re.compile(r"protocol (?:vrrp|112) counter packets (\d+)")


class Watchdog:
    """Ends a keepalived that hangs; systemd starts it anew, and the service stops here meanwhile.

    A master that says nothing is not master for the others: the next one has claimed the address already.
    """

    def __init__(self, interval: float, paths: Paths) -> None:
        """interval: seconds between two advertisements."""
        self.patience = _PATIENCE + 3 * interval
        self.paths = paths
        # What a master had sent when it was last counted; None where there is nothing to compare with.
        self.sent: int | None = None
        self.silent = False
        self.well: float | None = None

    def count(self, gate: str) -> None:
        """gate: the table of the gate as nft lists it; its counter counts what keepalived sends.

        One that has become master since it was counted last, or while it was listed, had nothing to send before.
        """
        found = _PACKETS.search(gate)
        sent = int(found[1]) if found and self._master() else None
        self.silent = sent is not None and sent == self.sent
        self.sent = sent

    def forget(self) -> None:
        """Nothing is counted for a while: how it was before tells nothing of that time."""
        self.sent, self.silent = None, False

    def look(self, now: float) -> None:
        """now: seconds of the monotonic clock."""
        pid = content(self.paths.at(PID))
        if not self._state(pid) or not (self.silent or any(self._stopped(one) for one in (pid, *self._children(pid)))):
            self.well = now
        if self.well is None:
            self.well = now
        if now - self.well > self.patience:
            self.well = now
            log.warning("keepalived hangs: ending it, for systemd to start it anew")
            run(["systemctl", "kill", "--signal=KILL", "keepalived.service"], check=False)

    def _master(self) -> bool:
        return content(self.paths.now("vrrp")) == "MASTER"

    def _children(self, pid: str) -> list[str]:
        return (read(self.paths.at(f"/proc/{pid}/task/{pid}/children")) or "").split()

    def _stopped(self, pid: str) -> bool:
        return self._state(pid) in _STOPPED

    def _state(self, pid: str) -> str:
        """Of a process; "" where there is none."""
        return (read(self.paths.at(f"/proc/{pid}/stat")) or "").rpartition(") ")[2][:1] if pid else ""
