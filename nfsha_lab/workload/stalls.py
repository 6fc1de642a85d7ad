"""How long each kind of operation stood still, and how many finished in each moment. Pure."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .history import History, Operation


@dataclass(frozen=True)
class Span:
    """A length of time and when it began, in seconds since the start of the run."""

    seconds: float
    at: float


@dataclass(frozen=True)
class Pace:
    """One kind of operation over the run; seconds.

    `longest` is the longest single operation; `stall` the longest time without a finished one, as the
    worst-off worker of the kind saw it (others' progress is no comfort to it).
    """

    kind: str
    finished: int
    failed: int
    in_doubt: int
    median: float
    longest: Span
    stall: Span


def paces(history: History) -> list[Pace]:
    """The pace of each kind, in the order in which the kinds first occur."""
    return [_pace(kind, history) for kind in dict.fromkeys(one.kind for one in history.operations)]


def _pace(kind: str, history: History) -> Pace:
    mine = [one for one in history.operations if one.kind == kind]
    durations = [one.end - one.start for one in mine if one.ok and one.end is not None]
    zero, stop = history.header.start, _stop(history)
    singles = [Span(_duration(one, stop), one.start - zero) for one in mine]
    longest = max(singles, key=lambda span: span.seconds)
    # What a worker does once, or only after a loss, has no pace that could falter.
    workers = [worker for worker, repeated in history.header.workers.items() if kind in repeated]
    gaps = [gap for worker in workers for gap in _gaps(mine, worker, zero, stop)]
    return Pace(
        kind=kind,
        finished=len(durations),
        failed=sum(one.end is not None and not one.ok for one in mine),
        in_doubt=sum(one.in_doubt for one in mine),
        median=statistics.median(durations) if durations else 0.0,
        longest=longest,
        stall=max([longest, *gaps], key=lambda span: span.seconds),
    )


def _stop(history: History) -> float:
    return history.last if history.stop is None else history.stop


def _duration(operation: Operation, stop: float) -> float:
    return (stop if operation.end is None else operation.end) - operation.start


def _gaps(operations: Sequence[Operation], worker: str, zero: float, stop: float) -> Iterable[Span]:
    """The times between finished operations of a worker; without one at the end, up to the stop."""
    mine = [one for one in operations if one.worker == worker]
    ends = [one.end for one in mine if one.ok and one.end is not None]
    if ends and not mine[-1].ok:
        ends.append(stop)
    return [Span(later - earlier, earlier - zero) for earlier, later in pairwise(ends)]


@dataclass(frozen=True)
class Timeline:
    """Finished operations by kind in buckets of so many seconds; `start_wall`: wall clock at second 0."""

    bucket: float
    start_wall: float
    counts: dict[str, list[int]]


def timeline(history: History, bucket: float) -> Timeline:
    """The run cut into buckets."""
    zero = history.header.start
    length = int((_stop(history) - zero) / bucket) + 1
    counts: dict[str, list[int]] = {}
    for one in history.operations:
        if one.ok and one.end is not None:
            row = counts.setdefault(one.kind, [0] * length)
            row[min(length - 1, int((one.end - zero) / bucket))] += 1
    return Timeline(bucket, history.header.wall, counts)


def slow(history: History, threshold: float) -> list[Operation]:
    """The operations that took at least so many seconds, in flight ones included, by their start."""
    stop = _stop(history)
    found = [one for one in history.operations if _duration(one, stop) >= threshold]
    return sorted(found, key=lambda one: one.start)
