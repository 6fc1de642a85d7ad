"""Whether what keepalived said last is so: that this node is to serve, or is not.

keepalived runs its notices side by side, so that of two in one moment the older one may end last, and a stop of the
service that fails is not tried again (keepalived issues 996 and 1055).
"""

from __future__ import annotations

import logging
import socket
from ipaddress import IPv4Address

from nfsha_config.file import read
from nfsha_config.paths import Paths
from nfsha_config.run import run

log = logging.getLogger(__name__)

# Seconds for which a change may be under way.
_SETTLED = 10.0
_ACTIVE = "nfsha-active.service"


class Claim:
    """The looks at it, on one node."""

    def __init__(self, address: IPv4Address, paths: Paths) -> None:
        self.address, self.paths = address, paths
        self.wrong = ""
        self.since = 0.0

    def look(self, now: float) -> None:
        """Put right what has been wrong for a while. now: seconds of the monotonic clock."""
        wrong, mend = self._judge()
        if wrong != self.wrong:
            self.wrong, self.since = wrong, now
        if not wrong or now - self.since < _SETTLED:
            return
        self.since = now
        log.warning("%s: %s", wrong, " ".join(mend))
        run(mend, check=False)

    def _judge(self) -> tuple[str, list[str]]:
        """What is wrong, "" for nothing, and the command that helps."""
        if not self.paths.now("master").exists():
            if read(self.paths.processes(_ACTIVE)):
                return "this node serves without being master", ["systemctl", "stop", "--no-block", _ACTIVE]
        elif not is_here(self.address):
            # Its end takes the notice back, and it says anew what it is.
            words = ["systemctl", "try-restart", "--no-block", "keepalived.service"]
            return "this node is master without the virtual address", words
        return "", []


def is_here(address: IPv4Address) -> bool:
    """Whether this machine has the address: no other can be bound (ip(7), EADDRNOTAVAIL)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
