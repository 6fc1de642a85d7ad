"""The disk heartbeat of o2cb: a block for each node in each volume, which the node writes every 2 s.

The block is that of fs/ocfs2/cluster/ocfs2_heartbeat.h, little-endian, and lies at 512 bytes x node number in the
system file `heartbeat` (fs/ocfs2/cluster/heartbeat.c).
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.host.volume import extents
from nfsha_config.problems import Refused

SECONDS = 2.0
"""Between two heartbeats of a node (heartbeat.h, O2HB_REGION_TIMEOUT_MS)."""

_SIZE = 512
# seq, node, three bytes of padding, cksum, generation, dead_ms; the rest of the block is as it was.
_BLOCK = struct.Struct("<QB3xIQI")
_CKSUM = slice(12, 16)


@dataclass(frozen=True)
class Beat:
    """What a node has written last.

    seq is its clock in seconds (heartbeat.c, o2hb_prepare_block), so all that it tells is that it is another one.
    generation is the same for all beats of one mount. A node that unmounts writes generation 0, and that is how it says
    that it is gone.
    """

    seq: int
    node: int
    generation: int
    block: bytes

    def mark(self) -> bytes:
        """The block with which this node would say that it is gone."""
        block = bytearray(self.block)
        *_, dead_ms = _BLOCK.unpack_from(block)
        _BLOCK.pack_into(block, 0, self.seq + 1, self.node, 0, 0, dead_ms)
        block[_CKSUM] = checksum(block).to_bytes(4, "little")
        return bytes(block)


def parse(block: bytes) -> Beat | None:
    """The beat in a block; None where none was ever written, or the checksum says that it was not written whole."""
    seq, node, cksum, generation, _ = _BLOCK.unpack_from(block)
    bare = bytearray(block)
    bare[_CKSUM] = bytes(4)
    return Beat(seq, node, generation, block) if seq and cksum == checksum(bare) else None


def checksum(block: bytes | bytearray) -> int:
    """crc32_le(0, ...) of the kernel, which does not invert; zlib's does, before and after."""
    return zlib.crc32(block, 0xFFFFFFFF) ^ 0xFFFFFFFF


@dataclass(frozen=True)
class Region:
    """The heartbeats of nodes 1 to `nodes` in one volume: its block device, and where on it they begin, in bytes."""

    device: Path
    start: int
    nodes: int

    def read(self) -> dict[int, Beat]:
        """The last beat of each node that has ever made one, from the disk itself. Raises OSError."""
        size = _SIZE * (self.nodes + 1)
        with _direct(self.device, os.O_RDONLY, size) as (descriptor, buffer):
            if os.preadv(descriptor, [buffer], self.start) != size:
                raise OSError(errno.EIO, "was not read whole", str(self.device))
            blocks = [bytes(buffer[at : at + _SIZE]) for at in range(0, size, _SIZE)]
        beats = {number: parse(block) for number, block in enumerate(blocks)}
        return {number: beat for number, beat in beats.items() if beat is not None and beat.node == number}

    def mark_down(self, beat: Beat) -> None:
        """Write that the node is gone, for o2cb to read at its next look (heartbeat.c, o2hb_check_slot).

        Only for a node that can't write any more: it would write the next beat over the mark, and live on unseen.
        Raises OSError where it can't be written.
        """
        with _direct(self.device, os.O_WRONLY | os.O_DSYNC, _SIZE) as (descriptor, buffer):
            buffer[:] = beat.mark()
            os.pwritev(descriptor, [buffer], self.start + _SIZE * beat.node)


def find(device: Path, nodes: int) -> Region:
    """The region of a volume for that many nodes. Raises Refused or CommandFailed."""
    first = extents(device, "heartbeat")[0]
    if first.size < _SIZE * (nodes + 1):
        raise Refused(f"{device}: the heartbeat file lies in pieces; nodes can't be declared dead before their time")
    return Region(device, first.start, nodes)


@contextmanager
def _direct(device: Path, flags: int, size: int) -> Iterator[tuple[int, memoryview]]:
    """The open device and a buffer, aligned as O_DIRECT wants it (open(2))."""
    descriptor = os.open(device, flags | os.O_DIRECT | os.O_CLOEXEC)
    try:
        with mmap.mmap(-1, size) as pages, memoryview(pages) as buffer:
            yield descriptor, buffer
    finally:
        os.close(descriptor)
