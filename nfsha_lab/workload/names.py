"""Which names must exist after all that was acknowledged, and which must not. Pure."""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field

from .history import Operation
from .outages import Outage, spanned, undone

# The answers that a repeated request may get from a server that did it already and lost its reply cache in a
# takeover (RFC 8881, 2.10.6): the operation is in doubt and the end state decides.
REPEATED = {"create": "EEXIST", "link": "EEXIST", "rename": "ENOENT", "unlink": "ENOENT"}

# OCFS2 links a file only by the name that the server has in its cache, and a server that has just taken over knows
# the file by its handle alone (fs/ocfs2/namei.c, ocfs2_link). Nothing is lost: a source that is gone is found missing.
_NOT_YET = {"link": "ENOENT"}

# What the client could not reclaim since the server has no such file, 116 being ESTALE; programs that have it open get
# EIO from then on (fs/nfs/nfs4state.c, nfs4_state_mark_open_context_bad).
_STALE = re.compile(r"NFSv4: state recovery failed for open file (?:\S*/)?(\S+), error = -116$")


@dataclass
class Expectation:
    """What must be found: each of `present`, one of each set in `either`, none of `absent`.

    What an outage may have undone is `unsettled`, and promises nothing. Of those, the client had the `stale` ones open.
    """

    outages: Sequence[Outage] = ()
    stale: Set[str] = frozenset()
    present: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    either: list[frozenset[str]] = field(default_factory=list)
    unsettled: set[str] = field(default_factory=set)

    def missing(self, found: Set[str]) -> list[str]:
        """What was acknowledged and is not there."""
        lost = [" or ".join(sorted(names)) for names in self.either if not names & found]
        return sorted(self.present - found) + sorted(lost)

    def left_over(self, found: Set[str]) -> list[str]:
        """What was acknowledged as gone and is there."""
        return sorted(self.absent & found)

    def take(self, operation: Operation) -> None:
        """Follow one operation on names; others change nothing."""
        done = operation.ok or was_repeated(operation)
        old, new = operation.name, operation.to
        if undone(operation, self.outages):
            done = False
            self.unsettled.update(name for name in (old, new) if name)
        if operation.kind == "create" and old:
            self._set(old, True if done else None)
        elif operation.kind == "unlink" and old:
            self._set(old, False if done else None)
        elif operation.kind == "link" and new:
            self._set(new, True if done else None)
        elif operation.kind == "rename" and old and new:
            self._rename(old, new, done)

    def _set(self, name: str, exists: bool | None) -> None:
        self.present.discard(name)
        self.absent.discard(name)
        self.either = [names for names in self.either if name not in names]
        if exists is not None:
            (self.present if exists else self.absent).add(name)

    def _rename(self, old: str, new: str, done: bool) -> None:
        existed = old in self.present
        self._set(old, False if done else None)
        self._set(new, True if done and existed else None)
        if existed and not done:
            self.either.append(frozenset((old, new)))


def was_repeated(operation: Operation) -> bool:
    """Whether the failure is one that a legal repetition explains."""
    return operation.error is not None and REPEATED.get(operation.kind) == operation.error


def is_excused(operation: Operation, expected: Expectation) -> bool:
    """Whether a takeover explains the failure.

    It was a repetition, or came before the new server knew the file, or the file's name was undone with the old one.
    """
    if was_repeated(operation):
        return True
    if operation.error is not None and _NOT_YET.get(operation.kind) == operation.error:
        return spanned(operation, expected.outages)
    if operation.name not in expected.unsettled:
        return False
    return operation.error in ("ENOENT", "ESTALE") or (operation.error == "EIO" and operation.name in expected.stale)


def stale_files(kernel: Iterable[str]) -> set[str]:
    """The files of which the client's kernel says that a new server did not know them."""
    return {said[1] for line in kernel if (said := _STALE.search(line))}


def expect(
    operations: Iterable[Operation], outages: Sequence[Outage] = (), stale: Set[str] = frozenset()
) -> Expectation:
    """The end state that operations, each worker's in its own order, lead to."""
    expectation = Expectation(outages, stale)
    for operation in operations:
        expectation.take(operation)
    return expectation
