"""How long the busy client stood still after an event, by its log. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from nfsha_lab.workload.history import History, Operation

# Name of a figure -> kinds of operations, of the workers whose names begin so: a writer only writes, the namer
# stands still in its open, and the holder takes and frees a lock in turn.
LANES = {
    "write": ("writer", ("write",)),
    "open": ("namer", ("create", "open")),
    "lock": ("holder", ("lock",)),
}
_SHORTEST = 1.0
_TOGETHER = 1.5


@dataclass(frozen=True)
class Stall:
    """Seconds of the client's monotonic clock between two operations of a worker; `open` if the second never came."""

    start: float
    end: float
    open: bool = False

    @property
    def seconds(self) -> float:
        return self.end - self.start


def stalls(history: History, lane: str, since: float) -> list[Stall]:
    """All stalls of a second or more that ended after `since`, of whichever worker, by their start."""
    stop = history.last if history.stop is None else history.stop
    found = []
    for worker in history.header.workers:
        if worker.startswith(LANES[lane][0]):
            ends = [one.end for one in _good(history.of(worker), lane) if one.end is not None]
            found += [Stall(*pair) for pair in pairwise(ends)]
            # The rest up to the end counts where the last operation did not succeed.
            if ends and _unfinished(history.of(worker), ends[-1]):
                found.append(Stall(ends[-1], stop, open=True))
    return sorted((one for one in found if one.end > since and one.seconds >= _SHORTEST), key=lambda one: one.start)


def longest(found: Iterable[Stall]) -> float:
    """Seconds of the longest one, 0 if there is none."""
    return max((one.seconds for one in found), default=0.0)


def busy(history: History, lane: str) -> list[tuple[float, float]]:
    """Stretches (start, end) in which operations of a lane ended well, every second or so."""
    workers = [worker for worker in history.header.workers if worker.startswith(LANES[lane][0])]
    ends = sorted(one.end for worker in workers for one in _good(history.of(worker), lane) if one.end is not None)
    found: list[tuple[float, float]] = []
    for at in ends:
        if found and at - found[-1][1] < _TOGETHER:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def _good(operations: Iterable[Operation], lane: str) -> list[Operation]:
    return [one for one in operations if one.ok and one.kind in LANES[lane][1]]


def _unfinished(operations: list[Operation], last: float) -> bool:
    return any(not one.ok and (one.end is None or one.end > last) for one in operations)
