"""The Internet checksum (RFC 1071)."""

from __future__ import annotations

import struct


def checksum(data: bytes) -> int:
    """Of an even number of bytes."""
    total: int = sum(word for (word,) in struct.iter_unpack("!H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
