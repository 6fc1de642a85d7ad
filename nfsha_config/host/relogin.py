"""The next login, to which iscsid does not come by itself after a target closed a connection that it had just taken.

A tgtd does so while it starts or stops (usr/iscsi/iscsi_tcp.c, accept_connection). The kernel then holds the connection
until it is told to stop it, and open-iscsi before 2.1.9 tries for ever without that (open-iscsi issue 387: "can't bind
conn, retcode -107"). An iscsid that starts does tell it so, for each session that it finds (usr/initiator.c,
iscsi_sync_session).
"""

from __future__ import annotations

import logging
import select
import socket

from nfsha_config.host import session
from nfsha_config.paths import Paths
from nfsha_config.run import run
from nfsha_config.site.kinds import Portal
from nfsha_config.site.model import Site

log = logging.getLogger(__name__)

# Seconds for which the target is there without a login; iscsid tries every 3 s (usr/initiator.c,
# ISCSI_CONN_ERR_REOPEN_DELAY). The node that is late is reset no sooner than half of o2cb's threshold after the other.
_PROMPT = 4.0
# Seconds from one start of iscsid to the next.
_AGAIN = 20.0
# Seconds that the target may take for a connection, and in which one that does not want it closes it.
_CONNECT, _CLOSES = 1.0, 0.5


class Relogin:
    """The watch over iscsid of one node."""

    def __init__(self, site: Site, paths: Paths) -> None:
        self.iqn, self.portal, self.paths = site.storage.iqn, site.storage.portal, paths
        # Since when the target was there for nothing.
        self.late: float | None = None
        self.started = float("-inf")

    def look(self, now: float) -> None:
        """Start iscsid anew if need be; takes 1.5 s while there is no session. now: seconds of the monotonic clock."""
        if not session.idle(self.iqn, self.paths) or not _takes(self.portal):
            self.late = None
            return
        if self.late is None:
            self.late = now
        if now - self.late >= _PROMPT and now - self.started >= _AGAIN:
            self.started = now
            log.warning("%s: takes connections, but iscsid does not log in, and is started again", self.portal)
            run(["systemctl", "restart", "--no-block", "iscsid.service"], check=False)


def _takes(portal: Portal) -> bool:
    """Whether the target takes a connection, and keeps it."""
    try:
        with socket.create_connection((str(portal.address), portal.port), _CONNECT) as connection:
            return not select.select([connection], [], [], _CLOSES)[0]
    except OSError:
        return False
