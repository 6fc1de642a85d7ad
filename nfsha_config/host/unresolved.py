"""Exports to clients whose names could not be resolved when the gate was opened, once they can be.

exportfs passes over a name that the name server does not know, or does not answer for, and says so (nfs-utils,
support/export/hostname.c, host_addrinfo); such a client would be refused until somebody runs exportfs again.
"""

from __future__ import annotations

import logging

from nfsha_config.host.attempts import Attempts
from nfsha_config.paths import Paths

log = logging.getLogger(__name__)

# As in admit (resolv.conf(5)): some names that nobody resolves must not keep the others waiting for long.
_RES_OPTIONS = "timeout:1 attempts:2"
# Seconds between two attempts.
_AGAIN = 30.0
# With -r, a name server that is away just then would have clients taken out that are in.
_EXPORT = ["env", f"RES_OPTIONS={_RES_OPTIONS}", "exportfs", "-a"]


class Unresolved(Attempts):
    """The attempts, while admit's mark is there; exportfs looks at the data, and waits for the name server."""

    def __init__(self, paths: Paths) -> None:
        super().__init__(_EXPORT, _AGAIN)
        self.mark = paths.now("unresolved")

    def look(self, now: float) -> float:
        """Begin an attempt when there is need, or see what came of one."""
        return super().look(now) if self.process is not None or self.mark.exists() else 0.0

    def _judge(self, status: int, said: str) -> None:
        if status == 0 and "resolve" not in said:
            self.mark.unlink(missing_ok=True)
            log.info("the names of all clients can be resolved now: exported to them")
