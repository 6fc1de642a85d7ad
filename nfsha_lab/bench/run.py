"""All rounds of all contenders, as many as are missing, each from the contender's own state."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nfsha_lab.bench import field
from nfsha_lab.bench.contender import Contender
from nfsha_lab.bench.events import EVENTS, Event
from nfsha_lab.bench.ours import Nfsha
from nfsha_lab.bench.pacemaker import Pacemaker
from nfsha_lab.bench.poc import ProofOfConcept
from nfsha_lab.bench.results import Result, Results
from nfsha_lab.bench.round import play
from nfsha_lab.bench.single import Single
from nfsha_lab.errors import LabError
from nfsha_lab.folders import Folders
from nfsha_lab.lab import Lab
from nfsha_lab.log import say, step
from nfsha_lab.logs import collect

CONTENDERS: dict[str, Contender] = {one.name: one for one in (Nfsha(), Pacemaker(), ProofOfConcept(), Single())}
TITLES = {name: one.title for name, one in CONTENDERS.items()}

# Seconds of one round of an emulated laboratory, and of what a contender needs before its first one.
ROUND_SECONDS = 200.0
READY_SECONDS = 30.0


@dataclass(frozen=True)
class Turn:
    """A contender and the events of one round number that are yet to be played."""

    contender: Contender
    number: int
    events: tuple[Event, ...]
    made_from: str


def plan(
    results: Results, image: str, systems: Sequence[str], events: Sequence[str], rounds: int, retry: bool
) -> list[Turn]:
    """What is missing on this image: round 1 of all, then 2; within it by contender, whose state is copied once."""
    turns = []
    made_from = {name: f"{image} {field.digest(CONTENDERS[name])}" for name in systems}
    for number in range(1, rounds + 1):
        for name, made in made_from.items():
            missing = [EVENTS[event] for event in events if not results.has(name, event, number, made, retry)]
            if missing:
                turns.append(Turn(CONTENDERS[name], number, tuple(missing), made))
    return turns


def expected(turns: Sequence[Turn], played: Sequence[Result]) -> float:
    """Seconds that they will take, as earlier rounds did, where each contender has been made ready before."""
    known = {(one["system"], one["event"]): float(one["seconds"]) for one in played}
    return sum(
        READY_SECONDS + sum(known.get((turn.contender.name, event.name), ROUND_SECONDS) for event in turn.events)
        for turn in turns
    )


def bench(lab: Lab, results: Results, turns: Sequence[Turn]) -> None:
    """Play them all; a round that fails is kept as failed with its reason, and the next one goes on.

    The machines are switched off in the end: their state is of no use, and they would slow down whatever comes next.
    """
    say(f"{sum(len(turn.events) for turn in turns)} rounds, about {expected(turns, results.all()) / 60:.0f} minutes")
    if not turns:
        return
    try:
        for turn in turns:
            for result in _play(lab.folders, turn, results):
                results.add(result)
                say(_line(result))
    finally:
        lab.down()


def _play(folders: Folders, turn: Turn, results: Results) -> Iterator[Result]:
    ready: field.Field | None = None
    for event in turn.events:
        about = {
            "system": turn.contender.name,
            "event": event.name,
            "round": turn.number,
            "made_from": turn.made_from,
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        begin = time.monotonic()
        try:
            with step(f"round {turn.number}, {turn.contender.title}, {event.title}"):
                if ready is None:
                    ready = field.ready(turn.contender, folders)
                else:
                    ready.rewind()
                figures = play(turn.contender, event, ready)
                if not figures["recovered"]:
                    collect(ready.cluster.lab, results.logs(turn.contender.name, event.name, turn.number))
        except LabError as error:
            # What the laboratory was in cannot be trusted any more.
            ready = None
            yield {**about, "failed": True, "reason": str(error), "seconds": round(time.monotonic() - begin)}
        else:
            yield {**about, "failed": False, **figures, "seconds": round(time.monotonic() - begin)}


def _line(result: Result) -> str:
    head = f"{result['system']} {result['event']} {result['round']}"
    if result["failed"]:
        return f"{head}: failed: {result['reason'].splitlines()[0]}"
    lanes = ", ".join(f"{lane} {seconds:.1f} s" for lane, seconds in result["stalls"].items())
    lost = f"lost writes {result['lost_writes']}, lost locks {result['lost_locks']}, EIO {result['eio']}"
    return f"{head}: {lanes}; {lost}; idle kept {result['idle_kept']}; {result['seconds']} s"
