"""Make clients whose connection was with another server connect anew at once.

A bare ACK out of the blue is answered by the client with an ACK of its own (RFC 9293, 3.10.7.4: an unacceptable segment
elicits an acknowledgment); this server knows no such connection and resets it; the client connects anew without waiting
for its next retransmission, which may be a minute away. CTDB and Pacemaker's portblock do the same.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import struct
from collections.abc import Iterable

from nfsha_config.host.checksum import checksum
from nfsha_config.host.connections import NFS_PORT, Connection

log = logging.getLogger(__name__)

_HEADER = struct.Struct("!HHIIBBHHH")
_ACK = 0x10
_WORDS = _HEADER.size // 4


def tickle(server: ipaddress.IPv4Address, connections: Iterable[Connection]) -> int:
    """Send each client one bare ACK from the server's address; return how many could be sent.

    Raises OSError where the address is not this machine's, or the caller is not root (raw(7)).
    """
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.bind((str(server), 0))
        for connection in connections:
            try:
                raw.sendto(segment(server, connection), (str(connection.address), 0))
                sent += 1
            except OSError as error:
                log.warning("%s: can't be told that the server has changed: %s", connection, error.strerror)
    return sent


def segment(server: ipaddress.IPv4Address, connection: Connection) -> bytes:
    """The TCP segment (RFC 9293, 3.1), with its checksum."""

    def header(cksum: int) -> bytes:
        return _HEADER.pack(NFS_PORT, connection.port, 0, 0, _WORDS << 4, _ACK, 0, cksum, 0)

    pseudo = server.packed + connection.address.packed + struct.pack("!BBH", 0, socket.IPPROTO_TCP, _HEADER.size)
    return header(checksum(pseudo + header(0)))
