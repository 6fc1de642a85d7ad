"""What happens to the serving node."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nfsha_lab.bench.contender import Contender
from nfsha_lab.bench.rival import Rival
from nfsha_lab.machine import Machine

Strike = Callable[[Contender, Rival, Machine], None]


@dataclass(frozen=True)
class Event:
    """`lethal`: a server's memory is lost, and one of the clients dies in the same moment.

    `bound`: seconds after it by which clients go on if they ever do, with any contender.
    """

    name: str
    title: str
    strike: Strike
    lethal: bool = False
    bound: float = math.inf


EVENTS: Mapping[str, Event] = {
    event.name: event
    for event in (
        Event("planned", "planned switchover", lambda contender, *where: contender.planned(*where)),
        # No machine has to be declared dead and none boots: the rarest look at a server, Pacemaker's after 30 s, and
        # its slowest planned switchover, 100 s in emulation.
        Event("killed", "nfsd killed", lambda contender, *where: contender.killed(*where), bound=150.0),
        Event("crash", "server crashed", lambda contender, *where: contender.crashed(*where), lethal=True),
        Event("cut", "server cut off", lambda contender, *where: contender.cut(*where), lethal=True),
    )
}
