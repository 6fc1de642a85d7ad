"""What the nodes' journals say of a takeover."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nfsha_lab.bench.contender import KERNEL_STEPS, Contender
from nfsha_lab.bench.rival import Rival
from nfsha_lab.errors import LabError
from nfsha_lab.machine import Machine

_JOURNAL_SECONDS = 120.0
_STAMP = re.compile(r"(\d+\.\d+) ")


@dataclass(frozen=True)
class Step:
    """Something that a node did, `at` so many seconds after the event."""

    at: float
    machine: str
    what: str


def collect(contender: Contender, cluster: Rival, moment: float) -> list[Step]:
    """The steps of all nodes that answer, since `moment` (seconds since the epoch, as the host has it), by time."""
    known = {**KERNEL_STEPS, **contender.steps}
    found: list[Step] = []
    for node in cluster.nodes:
        try:
            if node.running and node.state == "on":
                then = moment + node.clock_ahead()
                found += parse(_journal(node, then), known, node.name, then)
        except LabError:
            # It boots, or resets itself: the other one's word has to do.
            continue
    return sorted(found, key=lambda one: one.at)


def parse(text: str, known: Mapping[str, str], machine: str, moment: float) -> list[Step]:
    """The known steps in a journal as `journalctl -o short-unix` writes it."""
    found = []
    for line in text.splitlines():
        stamp = _STAMP.match(line)
        what = next((known[pattern] for pattern in known if re.search(pattern, line)), None)
        if stamp and what:
            found.append(Step(round(float(stamp[1]) - moment, 2), machine, what))
    return found


def _journal(node: Machine, moment: float) -> str:
    return node.succeed(f"journalctl --no-pager --quiet -o short-unix --since=@{int(moment)}", _JOURNAL_SECONDS)
