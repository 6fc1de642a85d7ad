"""One round: the load goes, the event strikes, clients go on or do not, everything is judged."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from nfsha_lab.bench import stalls, steps, trace
from nfsha_lab.bench.contender import Contender
from nfsha_lab.bench.events import Event
from nfsha_lab.bench.field import Field
from nfsha_lab.errors import LabError, ProductError
from nfsha_lab.load import Load, Verdict
from nfsha_lab.log import say, step
from nfsha_lab.machine import Machine
from nfsha_lab.workload.history import History

# Seconds of load before the event, in which all that a restored machine is late with has been done.
WARM = 6.0
_IDLE_SECONDS = 60.0
_LOST = ("missing", "torn", "names_absent")


@dataclass(frozen=True)
class Strike:
    """When the event struck, in seconds since the epoch and on the client's monotonic clock, and whether every kind of
    operation went on in time after it.
    """

    moment: float
    zero: float
    recovered: bool


def play(contender: Contender, event: Event, field: Field) -> dict[str, Any]:
    """The whole round; times in seconds after the event. LabError where it could not be played."""
    load = field.load
    time.sleep(WARM)
    load.wait_until_writes()
    strike = _strike(contender, event, field, load)
    # Where the others do not go on, its answer and each attempt after it would be waited for in vain.
    idle = _idle(field) if strike.recovered else None
    load.stop()
    found = steps.collect(contender, field.cluster, strike.moment)
    verdict = _judge(load, event)
    history = load.history()
    return {
        "recovered": strike.recovered,
        "dead_client": event.lethal,
        **_times(field, history, strike.zero),
        **_figures(verdict, history, idle),
        "steps": [asdict(one) for one in found],
    }


def _strike(contender: Contender, event: Event, field: Field, load: Load) -> Strike:
    cluster = field.cluster
    active = cluster.serving()
    offset = _monotonic(cluster.client)
    if event.lethal:
        field.doomed.die()
    moment = time.time()
    with step(f"{event.title}: {active.name}"):
        event.strike(contender, cluster, active)
    bound = min(contender.bound, event.bound)
    recovered = _goes_on(load, bound)
    if recovered and event.name == "planned" and contender.after_planned(cluster, active):
        time.sleep(WARM)
        recovered = _goes_on(load, bound)
    return Strike(moment, moment + offset, recovered)


def _monotonic(client: Machine) -> float:
    """Seconds by which a machine's monotonic clock is ahead of the host's time of day."""
    of_day = float(client.succeed("python3 -c 'import time; print(time.monotonic() - time.time())'"))
    return client.clock_ahead() + of_day


def _goes_on(load: Load, bound: float) -> bool:
    try:
        load.wait_until_writes(bound)
    except ProductError as error:
        say(str(error).splitlines()[0])
        return False
    return True


def _idle(field: Field) -> bool | None:
    """Whether the idle client still has its lock, as it finds and as another does; None if there is no answer."""
    try:
        return field.idle.still_holds(field.idle.name, _IDLE_SECONDS) and not field.busy.try_lock(field.idle.name)
    except LabError as error:
        say(str(error).splitlines()[0])
        return None


def _judge(load: Load, event: Event) -> Verdict | None:
    """The checker's verdict, None if no server is there whose disk could be read."""
    try:
        return load.check(crash=event.lethal)
    except LabError as error:
        say(str(error).splitlines()[0])
        return None


def _times(field: Field, history: History, zero: float) -> dict[str, Any]:
    found = {lane: stalls.stalls(history, lane, zero) for lane in stalls.LANES}
    after = [at - zero for at in trace.reclaims(field.cluster.client) if at > zero]
    return {
        "stalls": {lane: round(stalls.longest(found[lane]), 2) for lane in found},
        "gaps": {
            lane: [[round(one.start - zero, 2), round(one.end - zero, 2)] for one in gaps]
            for lane, gaps in found.items()
        },
        "busy": {
            lane: [[round(start - zero, 1), round(end - zero, 1)] for start, end in stalls.busy(history, lane)]
            for lane in stalls.LANES
        },
        "reclaims": [round(at, 2) for at in after],
        "end": round((history.stop or history.last) - zero, 2),
    }


def _figures(verdict: Verdict | None, history: History, idle: bool | None) -> dict[str, Any]:
    eio = sum(one.error == "EIO" for one in history.operations)
    errors = sum(one.error is not None for one in history.operations)
    figures: dict[str, Any] = {"idle_kept": idle, "eio": eio, "errors": errors, "judged": verdict is not None}
    if verdict is None:
        return {**figures, "lost_writes": None, "lost_locks": None, "lost_by_kernel": None, "findings": []}
    # A lock that is asked for in the very moment counts as lost with the kernel (fs/nfs/nfs4state.c,
    # nfs4_reclaim_open_state), though nobody had it.
    locks = verdict.data["locks"]
    return {
        **figures,
        "lost_writes": sum(verdict.data["figures"][name] for name in _LOST),
        "lost_locks": max(locks["by_io"], locks["by_probe"]) + (idle is False),
        "lost_by_kernel": locks["by_kernel"],
        "findings": verdict.data["findings"][:20],
    }
