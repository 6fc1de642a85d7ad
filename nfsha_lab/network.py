"""The network under test as a pure thing: which frame goes to which port, learned addresses, faults by pair."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

Pair = tuple[str, str]

BROADCAST_BIT = 1
ADDRESSES_MAX = 4096


@dataclass(frozen=True)
class Quality:
    """How a directed connection behaves: `loss` is a probability, `delay` in seconds; `cut` loses everything."""

    cut: bool = False
    loss: float = 0.0
    delay: float = 0.0


PERFECT = Quality()


@dataclass
class Fabric:
    """A learning Ethernet switch without sockets; ports are known by the names of their machines."""

    ports: tuple[str, ...]
    learned: dict[bytes, str] = field(default_factory=dict)
    quality: dict[Pair, Quality] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def shape(self, pairs: Iterable[Pair], quality: Quality) -> None:
        """Give each directed (from, to) pair this quality; KeyError for a port that does not exist."""
        for source, target in pairs:
            for port in (source, target):
                if port not in self.ports:
                    raise KeyError(port)
            if quality == PERFECT:
                self.quality.pop((source, target), None)
            else:
                self.quality[source, target] = quality

    def route(self, source: str, frame: bytes) -> list[tuple[str, float]]:
        """The ports that get this frame, each with its delay in seconds; the sender's address is learned."""
        target, sender = frame[:6], frame[6:12]
        if not sender[0] & BROADCAST_BIT and (sender in self.learned or len(self.learned) < ADDRESSES_MAX):
            self.learned[sender] = source
        known = None if target[0] & BROADCAST_BIT else self.learned.get(target)
        wanted = self.ports if known is None else (known,)
        if not self.quality:
            return [(port, 0.0) for port in wanted if port != source]
        return [(port, self._delay(source, port)) for port in wanted if port != source and self._passes(source, port)]

    def _passes(self, source: str, target: str) -> bool:
        quality = self.quality.get((source, target), PERFECT)
        return not quality.cut and (quality.loss == 0.0 or self.chance.random() >= quality.loss)

    def _delay(self, source: str, target: str) -> float:
        return self.quality.get((source, target), PERFECT).delay


def both_ways(one: str, others: Iterable[str]) -> list[Pair]:
    """All directed pairs between a machine and the others."""
    return [pair for other in others if other != one for pair in ((one, other), (other, one))]
