"""When the server was away, as the client's operations tell. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .history import History, Operation

# Seconds. On an idle emulated machine an operation takes less than half of it, the quickest takeover more.
_AWAY = 2.0
# Seconds after it in which a client may still speak of a file to a server that has not looked its name up.
_AFTER = 5.0
# Seconds. OCFS2 commits names and attributes by its timer (mount option commit=1, and the commit itself takes a while):
# it has no commit_metadata for nfsd (fs/ocfs2/export.c; fs/nfsd/vfs.c, commit_inode_metadata).
_COMMIT = 2.0


@dataclass(frozen=True)
class Outage:
    """From the start of the first operation that hung to the end of the last one that did; seconds as in the log."""

    start: float
    end: float
    crash: bool

    def may_undo(self, operation: Operation) -> bool:
        """Whether a server that crashed acknowledged it so shortly before that it need not have been on the disk."""
        if not self.crash or operation.end is None:
            return False
        return self.start - _COMMIT <= operation.end < (self.start + self.end) / 2

    def spans(self, operation: Operation) -> bool:
        """Whether the operation met a server that had just taken over."""
        return operation.end is not None and operation.end > self.start and operation.start < self.end + _AFTER


def outages(history: History, crash: bool) -> list[Outage]:
    """All of them: operations that hung at the same time hung for one reason; `crash`: a server lost its memory."""
    found: list[Outage] = []
    for one in sorted(history.operations, key=lambda one: one.start):
        end = history.last if one.end is None else one.end
        if end - one.start < _AWAY:
            continue
        if found and one.start <= found[-1].end:
            found[-1] = replace(found[-1], end=max(found[-1].end, end))
        else:
            found.append(Outage(one.start, end, crash))
    return found


def undone(operation: Operation, during: Iterable[Outage]) -> bool:
    """Whether one of the outages may have undone the operation."""
    return any(outage.may_undo(operation) for outage in during)


def spanned(operation: Operation, during: Sequence[Outage]) -> bool:
    """Whether the operation came during or right after one of the outages."""
    return any(outage.spans(operation) for outage in during)
