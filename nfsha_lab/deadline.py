"""Every wait in the laboratory ends: at its condition, at its deadline, or at the first sign that it is vain."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from nfsha_lab.errors import LabError


@dataclass(frozen=True)
class Deadline:
    """A moment by which something must have happened; `seconds` from its making, on the monotonic clock."""

    seconds: float
    start: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start

    @property
    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        return self.remaining == 0.0

    def check(self, what: str, kind: type[LabError] = LabError) -> None:
        """Raise `kind` if the time is over; `what` says what was waited for."""
        if self.expired:
            raise kind(f"{what}: not within {self.seconds:g} s")

    def polls(self, interval: float, ceiling: float | None = None) -> Iterator[float]:
        """Yield the elapsed seconds before each try; at least one try, the last one at the deadline.

        The pause between tries begins with `interval` seconds and doubles up to `ceiling`.
        """
        pause = interval
        while True:
            last = self.expired
            yield self.elapsed
            if last:
                return
            time.sleep(min(pause, self.remaining))
            pause = min(pause * 2, ceiling) if ceiling else interval


def wait_for(
    what: str,
    condition: Callable[[], bool],
    seconds: float,
    interval: float = 0.05,
    ceiling: float | None = 0.5,
    kind: type[LabError] = LabError,
) -> float:
    """Poll `condition` until it is true; return the seconds it took, or raise `kind` after `seconds`."""
    deadline = Deadline(seconds)
    for _ in deadline.polls(interval, ceiling):
        if condition():
            return deadline.elapsed
    raise kind(f"{what}: not within {seconds:g} s")
