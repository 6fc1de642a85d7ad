"""A mount that failed is tried again: a node that booted while the network was broken would be out for ever."""

from __future__ import annotations

import logging
import os
from functools import cached_property

from nfsha_config.host.echo import Echo
from nfsha_config.host.fence import reset_seconds
from nfsha_config.run import run
from nfsha_config.site.model import Site

log = logging.getLogger(__name__)

# In the order in which they start.
_UNITS = ("nfsha-storage.service", "o2cb.service", "var-lib-nfs.mount", "srv-nfs4-data.mount")
_SHOW = ["systemctl", "show", "--property=ActiveState", "--value", *_UNITS]
# Seconds since another node's answer for which it counts as reachable.
_FRESH = 10.0
# Seconds after the end of a fence until the next attempt.
_PAUSE = 30.0
# The same where no other node answers: one that serves would fence this node anew.
_LONG_PAUSE = 120.0


class Revival:
    """The attempts of one node."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.fenced = reset_seconds(site.timings)
        self.heard = float("-inf")
        self.last: float | None = None

    @cached_property
    def others(self) -> list[Echo]:
        """Made when a look needs them: a socket that nobody reads gets each ping's answer of this machine."""
        return [Echo(node.address) for node in self.site.nodes if node.name != os.uname().nodename]

    def look(self, now: float) -> None:
        """Begin one when there is need. now: seconds of the monotonic clock."""
        for other in self.others:
            if other.answered():
                self.heard = now
            other.ask()
        # What failed in a boot has failed just now.
        if self.last is None:
            self.last = now
        pause = _PAUSE if now - self.heard < _FRESH else _LONG_PAUSE
        if now - self.last < self.fenced + pause:
            return
        self.last = now
        if _failed():
            log.info("trying again to mount the volumes")
            run(["systemctl", "start", "--no-block", "nfsha-node.target"], check=False)


def _failed() -> bool:
    """Whether the first of them that is not there has failed; one that an admin has stopped is inactive."""
    states = run(_SHOW, check=False).stdout.split()
    return next((state for state in states if state != "active"), "") == "failed"
