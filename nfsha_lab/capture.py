"""What a client's TCP saw of the server: calls, resets, and the connections made anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nfsha_lab.machine import Machine
from nfsha_lab.topology import VIRTUAL_ADDRESS

_FILE, _UNIT = "/root/capture", "capture.service"
# An ACK that carries nothing: as long as its headers (pcap-filter(7)).
_BARE = "tcp[tcpflags] = tcp-ack and ip[2:2] = ((ip[0] & 0xf) << 2) + ((tcp[12] & 0xf0) >> 2)"
_WANTED = f"tcp port 2049 and (tcp[tcpflags] & (tcp-syn|tcp-rst) != 0 or (src port 2049 and {_BARE}))"
_SERVER = re.escape(f"{VIRTUAL_ADDRESS}.2049")
_ACK = re.compile(rf"^([0-9.]+) IP {_SERVER} > (\S+): Flags \[\.\]", re.MULTILINE)
_RESET = re.compile(rf"^([0-9.]+) IP {_SERVER} > (\S+): Flags \[R\]", re.MULTILINE)
_ANEW = re.compile(rf"^([0-9.]+) IP \S+ > {_SERVER}: Flags \[S\]", re.MULTILINE)


@dataclass
class Capture:
    """Seconds since the epoch of each bare ACK, each reset of an unknown connection, with the client's end, and each
    attempt to connect; full at the end.
    """

    acks: list[tuple[float, str]] = field(default_factory=list)
    resets: list[tuple[float, str]] = field(default_factory=list)
    attempts: list[float] = field(default_factory=list)
    text: str = ""

    def read(self, text: str) -> None:
        """Take what tcpdump printed."""
        self.text = text
        self.acks += [(float(at), end) for at, end in _ACK.findall(text)]
        self.resets += [(float(at), end) for at, end in _RESET.findall(text)]
        self.attempts += map(float, _ANEW.findall(text))

    def calls(self) -> list[float]:
        """Seconds from a bare ACK to the reset of its connection: a client that came by itself was sent none."""
        before = ([reset - at for at, to in self.acks if to == end and at <= reset] for reset, end in self.resets)
        return [min(waits) for waits in before if waits]

    def reconnects(self) -> list[float]:
        """Seconds from each reset until the client tried to connect anew; resets without such a try are left out."""
        after = ([later - reset for later in self.attempts if later >= reset] for reset, _ in self.resets)
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
        seen.read(client.succeed(f"systemctl stop {_UNIT}; tcpdump -n -tt -r {_FILE}"))
