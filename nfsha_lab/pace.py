"""How much slower than the figures' host this one is, by what nfsha itself takes to serve: bounds go with it."""

from __future__ import annotations

import re

from nfsha_lab.errors import ProductError
from nfsha_lab.load import Load
from nfsha_lab.log import say
from nfsha_lab.machine import Machine

CALM = 1.2
"""Seconds from the lock to the open gate in a planned switchover under load, p50 on the host that the stories' bounds
were measured on (docs/reference/benchmark.json)."""

_STEPS = re.compile(r"\b(?:nfsdcld|nfsd|gate) ([0-9.]+) s")


def serving_took(told: str) -> float:
    """Seconds from the lock to the open gate, by a takeover's line of `nfsha history`."""
    steps = [float(took) for took in _STEPS.findall(told)]
    if len(steps) != 3:
        raise ProductError(f"not the line of a takeover: {told!r}")
    return sum(steps)


def pace_of(heir: Machine, load: Load) -> float:
    """Move the service to a node: how many times slower it began to serve than on a calm host, 1 at the least."""
    said = heir.succeed("nfsha switchover")
    if f"{heir.name} serves now" not in said:
        raise ProductError(f"{heir.name} does not serve: {said}")
    load.wait_until_writes()
    told = heir.wait_until_succeeds(f"nfsha history | tail -n 1 | grep '{heir.name} took over'")
    pace = max(1.0, serving_took(told) / CALM)
    say(f"this host is {pace:.1f} times as slow as the one that the bounds were measured on")
    return pace
