"""What is known of the other node, by its heartbeats on the disk and its answers to pings, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from nfsha_config.host.heartbeat import Beat, Region
from nfsha_config.site.model import Timings

SILENCE = 2.0
"""Seconds without an answer to a ping after which a node counts as unreachable; less than VRRP's three intervals."""


class Verdict(Enum):
    """What a look at the other node comes to."""

    WELL = auto()
    ISOLATED = auto()
    """It lives, can't be reached, and this node is not the one that serves: it must not claim the address."""
    FENCE = auto()


@dataclass(frozen=True)
class Look:
    """What is known of the other node.

    alive: by o2cb. missed: how many beats this node has made since its last, in the volume with fewer. silent: seconds
    since it last answered a ping, None if it never did. proven: how long it had been silent when its last beat was
    seen, so that a large one tells a cut network from a dead node. lost: tells the seconds since o2cb heard it, and is
    asked only where that decides. wants, holds: whether this node is VRRP master, and has the lock.
    """

    alive: bool
    missed: int
    silent: float | None
    proven: float
    lost: Callable[[], float]
    wants: bool
    holds: bool


def judge(look: Look, timings: Timings) -> Verdict:
    """A dead node is fenced by one that wants to serve, a living one that can't be reached by one that serves.

    o2cb's own rule for a cut network, the lowest number lives on, takes it half a minute, and takes the service away
    from the node that has it in one of two cases (fs/ocfs2/cluster/quorum.c). But what o2cb hears is not cut off, and
    only pings are filtered.
    """
    if not look.alive:
        return Verdict.WELL
    dead = look.missed >= timings.fence_after
    if dead and look.wants and (look.silent is None or look.silent >= SILENCE):
        return Verdict.FENCE
    cut = not dead and look.silent is not None and look.silent >= SILENCE and look.proven >= SILENCE
    if cut and not look.holds:
        return Verdict.ISOLATED
    idle = timings.o2cb_idle / 1000
    return Verdict.FENCE if cut and (look.silent or 0.0) >= idle and look.lost() >= idle else Verdict.WELL


@dataclass
class Watch:
    """What is remembered of the other node from look to look."""

    own: int
    other: int
    heard: float | None = None
    proven: float = 0.0
    last: dict[tuple[Region, int], Beat] = field(default_factory=dict)
    missed: dict[Region, int] = field(default_factory=dict)

    def silent(self, now: float) -> float | None:
        """Seconds since the last answer."""
        return None if self.heard is None else now - self.heard

    def beats(self, seen: Mapping[Region, Mapping[int, Beat]], now: float) -> int:
        """Take in what was read; return how many beats of this node the other has missed, in the better volume."""
        for region, beats in seen.items():
            if self._changed(region, self.own, beats) and region in self.missed:
                self.missed[region] += 1
            # Generation 0 says that it is gone, by whomever it was written.
            if self._changed(region, self.other, beats) and beats[self.other].generation:
                self.missed[region] = 0
                self.proven = self.silent(now) or 0.0
        return min(self.missed.values(), default=0)

    def _changed(self, region: Region, node: int, beats: Mapping[int, Beat]) -> bool:
        """Whether a node has made a beat since the last look; a block that was caught half written tells nothing."""
        beat, key = beats.get(node), (region, node)
        if beat is None or beat == self.last.get(key):
            return False
        self.last[key] = beat
        return True

    def other_beats(self) -> dict[Region, Beat]:
        """The other node's last beats."""
        return {region: beat for (region, node), beat in self.last.items() if node == self.other}
