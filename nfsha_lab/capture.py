"""What a client's TCP saw of the server: resets, and the connections made anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nfsha_lab.machine import Machine
from nfsha_lab.topology import VIRTUAL_ADDRESS

_FILE, _UNIT = "/root/capture", "capture.service"
_WANTED = "tcp port 2049 and tcp[tcpflags] & (tcp-syn|tcp-rst) != 0"
_SERVER = re.escape(f"{VIRTUAL_ADDRESS}.2049")
_RESET = re.compile(rf"^([0-9.]+) IP {_SERVER} > \S+: Flags \[R\]", re.MULTILINE)
_ANEW = re.compile(rf"^([0-9.]+) IP \S+ > {_SERVER}: Flags \[S\]", re.MULTILINE)


@dataclass
class Capture:
    """Seconds since the epoch of each reset of an unknown connection and each attempt to connect; full at the end."""

    resets: list[float] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    text: str = ""

    def reconnects(self) -> list[float]:
        """Seconds from each reset until the client tried to connect anew; resets without such a try are left out."""
        after = ([later - reset for later in self.attempts if later >= reset] for reset in self.resets)
        return [min(waits) for waits in after if waits]


@contextmanager
def capture(client: Machine) -> Iterator[Capture]:
    """Watch a client's NFS connections with tcpdump(8) for the length of a block."""
    client.succeed(
        f"systemd-run --quiet --unit={_UNIT} tcpdump -i eth1 -n -U -Z root -w {_FILE} '{_WANTED}' && "
        f"until journalctl --quiet -u {_UNIT} | grep 'listening on'; do sleep 0.2; done"
    )
    seen = Capture()
    try:
        yield seen
    finally:
        seen.text = client.succeed(f"systemctl stop {_UNIT}; tcpdump -n -tt -r {_FILE}")
        seen.resets += map(float, _RESET.findall(seen.text))
        seen.attempts += map(float, _ANEW.findall(seen.text))
