"""What happens to the serving node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nfsha_lab.bench.contender import Contender
from nfsha_lab.bench.rival import Rival
from nfsha_lab.machine import Machine

Strike = Callable[[Contender, Rival, Machine], None]


@dataclass(frozen=True)
class Event:
    """`lethal`: a server's memory is lost, and one of the clients dies in the same moment."""

    name: str
    title: str
    strike: Strike
    lethal: bool = False


EVENTS: Mapping[str, Event] = {
    event.name: event
    for event in (
        Event("planned", "planned switchover", lambda contender, *where: contender.planned(*where)),
        Event("killed", "nfsd killed", lambda contender, *where: contender.killed(*where)),
        Event("crash", "server crashed", lambda contender, *where: contender.crashed(*where), lethal=True),
        Event("cut", "server cut off", lambda contender, *where: contender.cut(*where), lethal=True),
    )
}
