"""Exports to clients whose names could not be resolved when the gate was opened, once they can be.

exportfs passes over a name that the name server does not know, or does not answer for, and says so (nfs-utils,
support/export/hostname.c, host_addrinfo); such a client would be refused until somebody runs exportfs again.
"""

from __future__ import annotations

import logging
from subprocess import Popen

from nfsha_config.paths import Paths
from nfsha_config.run import start

log = logging.getLogger(__name__)

# Seconds between two attempts.
_AGAIN = 30.0
# With -r, a name server that is away just then would have clients taken out that are in.
_EXPORT = ["exportfs", "-a"]


class Unresolved:
    """The attempts, in a process of its own each: it looks at the data, and waits for the name server."""

    def __init__(self, paths: Paths) -> None:
        self.mark = paths.now("unresolved")
        self.process: Popen[str] | None = None
        self.ended = float("-inf")

    def look(self, now: float) -> None:
        """Begin an attempt when it is time, or see what came of one. now: seconds of the monotonic clock."""
        if self.process is None:
            if self.mark.exists() and now - self.ended >= _AGAIN:
                self.process = start(_EXPORT)
        elif self.process.poll() is not None:
            said = self.process.stderr.read() if self.process.stderr else ""
            if self.process.returncode == 0 and "resolve" not in said:
                self.mark.unlink(missing_ok=True)
                log.info("the names of all clients can be resolved now: exported to them")
            self.process, self.ended = None, now
