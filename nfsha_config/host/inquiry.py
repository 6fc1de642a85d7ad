"""Asks this node's NFS server, as a client would, whether it works."""

from __future__ import annotations

from ipaddress import IPv4Address

from nfsha_config.host import nfsd
from nfsha_config.host.nfs41 import Client, Unwell
from nfsha_config.paths import Paths

# Seconds between two questions, and for an answer.
_PAUSE = 5.0
_TIMEOUT = 3.0
# Calls to the server that one question may take, with those that begin a session.
_OWN = 3


class Inquiry:
    """Questions to the server at the virtual address. A server that is slow, but does something, is not dead."""

    def __init__(self, address: IPv4Address, scope: str, paths: Paths) -> None:
        self.address, self.scope, self.paths = address, scope, paths
        self.client: Client | None = None
        self.asked = float("-inf")
        self.since: float | None = None
        # When the last good answer came, also of a server that was stopped since.
        self.answered = float("-inf")
        self.calls = 0
        self.error = ""

    def forget(self) -> None:
        """The server was stopped: what was known of it is over."""
        if self.client is not None:
            self.client.close()
        self.client, self.since, self.error = None, None, ""

    def look(self, now: float) -> float:
        """Ask when it is time; return for how many seconds there was no good answer. `error` says what was wrong."""
        if now - self.asked >= _PAUSE:
            self.asked = now
            self._ask(now)
        return self.silent(now)

    def silent(self, now: float) -> float:
        """For how many seconds there was no good answer."""
        return 0.0 if self.since is None else now - self.since

    def excuse(self) -> None:
        """That it gave no answer is no fault of its own: its silence begins anew."""
        self.since = None

    def _ask(self, now: float) -> None:
        calls = nfsd.calls(self.paths)
        try:
            if self.client is None:
                self.client = Client(self.address, _TIMEOUT)
            if self.client.scope != self.scope:
                raise Unwell(f"the server scope is {self.client.scope}, not {self.scope}")
            self.client.ask()
            self.since, self.error, self.answered = None, "", now
        except (Unwell, OSError) as error:
            busy = isinstance(error, OSError) and calls > self.calls + _OWN
            before = self.since
            self.forget()
            self.since = None if busy else now if before is None else before
            self.error = str(error)
        self.calls = calls
