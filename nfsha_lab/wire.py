"""Frames as QEMU's stream netdev sends them, and as tcpdump reads them from a file."""

import struct
import time
from pathlib import Path

LENGTH = struct.Struct("!I")
FRAME_MIN = 14
# net/net.h NET_BUFSIZE of QEMU: no frame is longer.
FRAME_MAX = 4096 + 65536

PCAP_MAGIC_MICROSECONDS = 0xA1B2C3D4
LINKTYPE_ETHERNET = 1


class Framing:
    """Cuts a byte stream into Ethernet frames, each preceded by its length (net/stream.c of QEMU)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The frames completed by `data`, without their lengths; ValueError if this is no such stream."""
        buffer = self._rest + data if self._rest else data
        frames, at, end = [], 0, len(buffer)
        while end - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, at)
            if length > FRAME_MAX:
                raise ValueError(f"a frame of {length} bytes")
            if end - at - LENGTH.size < length:
                break
            at += LENGTH.size
            if length >= FRAME_MIN:
                frames.append(buffer[at : at + length])
            at += length
        self._rest = buffer[at:]
        return frames


def framed(frame: bytes) -> bytes:
    """The frame with its length before it."""
    return LENGTH.pack(len(frame)) + frame


class Capture:
    """A pcap file that can be read while it grows."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)
        self._file.write(struct.pack("=IHHiIII", PCAP_MAGIC_MICROSECONDS, 2, 4, 0, 0, FRAME_MAX, LINKTYPE_ETHERNET))

    def record(self, frame: bytes) -> None:
        """Append one frame with the host's time of day."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        header = struct.pack("=IIII", seconds, nanoseconds // 1000, len(frame), len(frame))
        self._file.write(header + frame)

    def close(self) -> None:
        self._file.close()
