"""Whether another machine answers pings (ICMP echo, RFC 792), asked again and again without waiting."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from ipaddress import IPv4Address

from nfsha_config.host.checksum import checksum

_REQUEST, _REPLY = 8, 0
_HEADER = struct.Struct("!BBHHH")
# Length of the IPv4 header in words, in the low half of its first byte (RFC 791, 3.1).
_WORDS = 0x0F


class Echo:
    """Pings one address. Raises OSError where the caller is not root (raw(7))."""

    def __init__(self, address: IPv4Address) -> None:
        self.address = str(address)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setblocking(False)
        self.identifier = os.getpid() & 0xFFFF
        self.sequence = 0

    def ask(self) -> None:
        """Send a request; one that can't be sent is one that is not answered."""
        self.sequence = (self.sequence + 1) & 0xFFFF
        with contextlib.suppress(OSError):
            self.socket.sendto(packet(self.identifier, self.sequence), (self.address, 0))

    def answered(self) -> bool:
        """Whether an answer has come since the last call."""
        found = False
        while True:
            try:
                data, (sender, _) = self.socket.recvfrom(512)
            except OSError:
                return found
            found = found or (sender == self.address and is_reply(data, self.identifier))


def packet(identifier: int, sequence: int) -> bytes:
    """An echo request without data."""
    bare = _HEADER.pack(_REQUEST, 0, 0, identifier, sequence)
    return _HEADER.pack(_REQUEST, 0, checksum(bare), identifier, sequence)


def is_reply(data: bytes, identifier: int) -> bool:
    """Whether an IPv4 packet is an answer to one of ours."""
    header = (data[0] & _WORDS) * 4 if data else 0
    if len(data) < header + _HEADER.size:
        return False
    kind, _, _, whose, _ = _HEADER.unpack_from(data, header)
    return bool(kind == _REPLY and whose == identifier)
