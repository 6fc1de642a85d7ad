"""Compares the records of a file with those that were acknowledged. Pure."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from .record import Piece


@dataclass(frozen=True)
class Audit:
    """What is wrong with one file, as record numbers; `beyond` (intact, never acknowledged) is no fault."""

    missing: tuple[int, ...] = ()
    duplicated: tuple[int, ...] = ()
    torn: tuple[int, ...] = ()
    out_of_order: tuple[int, ...] = ()
    beyond: tuple[int, ...] = ()


def audit(pieces: Sequence[Piece], acknowledged: Set[int], in_doubt: Set[int]) -> Audit:
    """Judge the pieces of a file whose records have rising numbers.

    Damage stands for the records that follow the last intact one: those in doubt are no fault, and those
    acknowledged are torn, not missing as well.
    """
    seen: set[int] = set()
    torn: set[int] = set()
    duplicated: list[int] = []
    out_of_order: list[int] = []
    previous = highest = 0
    for piece in pieces:
        if piece.seq is None:
            torn.update(range(previous + 1, previous + 1 + piece.records))
            previous += piece.records
            continue
        if piece.seq in seen:
            duplicated.append(piece.seq)
        elif piece.seq < highest:
            out_of_order.append(piece.seq)
        seen.add(piece.seq)
        previous = piece.seq
        highest = max(highest, piece.seq)
    torn -= in_doubt
    return Audit(
        missing=tuple(sorted(acknowledged - seen - torn)),
        duplicated=tuple(duplicated),
        torn=tuple(sorted(torn)),
        out_of_order=tuple(out_of_order),
        beyond=tuple(sorted(seen - acknowledged)),
    )
