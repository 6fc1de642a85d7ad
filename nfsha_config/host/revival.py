"""A mount that failed is tried again: a node that booted while the network was broken would be out for ever."""

from __future__ import annotations

import logging

from nfsha_config.run import run

log = logging.getLogger(__name__)

# Seconds between two attempts; longer than a node is kept from the disk (fence.reset_seconds).
_AGAIN = 60.0
# In the order in which they start; what follows them is not failed, but was never begun.
_UNITS = ("nfsha-storage.service", "o2cb.service", "var-lib-nfs.mount", "srv-nfs4-data.mount")


class Revival:
    """The attempts. What an admin has stopped has not failed, and stays as it is."""

    def __init__(self) -> None:
        self.last = float("-inf")

    def look(self, now: float) -> None:
        """Begin one when there is need. now: seconds of the monotonic clock."""
        if now - self.last < _AGAIN:
            return
        self.last = now
        if run(["systemctl", "is-failed", "--quiet", *_UNITS], check=False).returncode == 0:
            log.info("trying again to mount the volumes")
            run(["systemctl", "start", "--no-block", "nfsha-node.target"], check=False)
