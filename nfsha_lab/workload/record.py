"""The records the workload writes: fixed width, self-describing, checksummed, so that any damage shows."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

# Not a divisor of the page size: some records lie across two pages, which is where a torn write shows.
RECORD_SIZE = 96
WORKER_WIDTH = 12
_SEQ = slice(22, 32)


@dataclass(frozen=True)
class Piece:
    """A stretch of a file of `size` bytes: one intact record (`seq` is its number) or damage (None)."""

    seq: int | None
    size: int

    @property
    def records(self) -> int:
        """How many records the stretch stands for: damage is counted by its length, and is never none."""
        return max(1, round(self.size / RECORD_SIZE))


def encode(run: str, worker: str, seq: int) -> bytes:
    """The record number `seq` of a worker of the run with the 8-character id `run`."""
    head = f"{run} {worker:<{WORKER_WIDTH}} {seq:010d} "
    body = head + str(seq % 10) * (RECORD_SIZE - len(head) - 10) + " "
    if (len(run), len(head)) != (8, _SEQ.stop + 1):
        raise ValueError(f"no record can hold {run!r}, {worker!r}, {seq!r}")
    return f"{body}{zlib.crc32(body.encode()):08x}\n".encode()


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        newline = data.find(b"\n", start)
        end = len(data) if newline < 0 else newline + 1
        yield data[start:end]
        start = end


def _number(line: bytes, run: str, worker: str) -> int | None:
    digits = line[_SEQ]
    if len(line) != RECORD_SIZE or not digits.isdigit():
        return None
    seq = int(digits)
    return seq if line == encode(run, worker, seq) else None


def scan(data: bytes, run: str, worker: str) -> list[Piece]:
    """The pieces of a file in order; damage that lies side by side is one piece.

    Split at newlines, not at multiples of the width: bytes lost or added spoil one record, not all the rest.
    """
    pieces: list[Piece] = []
    for line in _lines(data):
        # Damage without a newline, such as a hole of zeros, joins the record after it in one line.
        seq = _number(line[-RECORD_SIZE:], run, worker)
        damage = len(line) if seq is None else len(line) - RECORD_SIZE
        if damage and pieces and pieces[-1].seq is None:
            pieces[-1] = Piece(None, pieces[-1].size + damage)
        elif damage:
            pieces.append(Piece(None, damage))
        if seq is not None:
            pieces.append(Piece(seq, RECORD_SIZE))
    return pieces
