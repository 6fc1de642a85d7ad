"""How often a lock was lost, by three witnesses: the holder's I/O, the kernel, a second process. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .history import Operation

# fs/nfs/nfs4state.c, nfs4_do_reclaim: "NFS: %s: lost %d locks"
_LOST = re.compile(r"NFS: \S+: lost (\d+) locks")
_STAMP = re.compile(r"^\s*\[\s*(\d+\.\d+)\]")
_REFUSED = ("EAGAIN", "EACCES")
_UNDER_LOCK = ("heartbeat", "lock", "unlock", "release")
# printk's clock and CLOCK_MONOTONIC run apart a little.
_CLOCK_SLACK = 1.0


@dataclass(frozen=True)
class LocksLost:
    """Losses seen by each witness; the same loss is usually seen by more than one."""

    by_io: int
    by_kernel: int
    by_probe: int

    @property
    def total(self) -> int:
        """The losses that must have happened at least."""
        return max(self.by_io, self.by_kernel, self.by_probe)


@dataclass(frozen=True)
class Tenure:
    """A stretch of monotonic time over which the holder was told that it has the lock."""

    start: float
    end: float


def is_loss(operation: Operation) -> bool:
    """Whether an operation of the holder failed because its lock is gone or taken by another."""
    if operation.kind == "hold":
        return operation.error in _REFUSED
    return operation.kind in _UNDER_LOCK and operation.error == "EIO"


def tenures(operations: Sequence[Operation]) -> tuple[list[Tenure], int]:
    """The holder's stretches with the lock, and how many losses it noticed itself.

    A holder that died has its lock up to its last sign of life: nobody knows of the time after it.
    """
    stretches: list[Tenure] = []
    losses = 0
    held_since: float | None = None
    lost = False
    alive = 0.0
    for operation in operations:
        gone = is_loss(operation)
        if held_since is not None and (gone or operation.kind == "release"):
            stretches.append(Tenure(held_since, operation.start))
            held_since = None
        if gone and not lost:
            losses += 1
        lost = gone or (lost and operation.kind != "hold")
        if operation.kind == "hold" and operation.ok and operation.end is not None:
            held_since = operation.end
        alive = max(alive, operation.start, operation.end or 0.0)
    if held_since is not None:
        stretches.append(Tenure(held_since, alive))
    return stretches, losses


def stolen(probes: Iterable[Operation], held: Sequence[Tenure]) -> int:
    """How often a second process came to have the lock; successes in a row are one theft."""
    thefts = 0
    before = False
    for probe in probes:
        if probe.kind != "probe" or probe.end is None:
            continue
        end = probe.end
        within = any(stretch.start <= probe.start and end <= stretch.end for stretch in held)
        taken = probe.ok and probe.acquired and within
        thefts += taken and not before
        before = taken
    return thefts


def lost_by_kernel(lines: Iterable[str], since: float) -> int:
    """The locks the kernel says it lost; lines stamped before `since` (s since boot) tell of other runs."""
    total = 0
    for line in lines:
        said = _LOST.search(line)
        stamp = _STAMP.match(line)
        if said and not (stamp and float(stamp.group(1)) < since - _CLOCK_SLACK):
            total += int(said.group(1))
    return total


def judge(holder: Sequence[Operation], prober: Sequence[Operation], kernel: Iterable[str], since: float) -> LocksLost:
    """What the three witnesses say."""
    held, noticed = tenures(holder)
    return LocksLost(noticed, lost_by_kernel(kernel, since), stolen(prober, held))
