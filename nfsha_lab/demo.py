"""The demonstration: a client writes, the serving node dies, and one watches."""

from __future__ import annotations

import time

from nfsha_lab.cluster import Cluster
from nfsha_lab.errors import ProductError
from nfsha_lab.load import Load, Verdict
from nfsha_lab.log import say, step

_STALL_SECONDS = 300.0
_QUIET = 1.0


def demonstrate(cluster: Cluster) -> Verdict:
    """Crash the serving node under a live load; show the stall as it happens; judge what was acknowledged."""
    active = cluster.settle()
    load = Load(cluster, "demo")
    load.start()
    say(f"{load.status()}")
    with cluster.one_server_at_most():
        say(f"{active.name} serves. Now its power is cut.")
        active.crash()
        start = time.monotonic()
        _watch(load, start)
        survivor = cluster.serving()
        elapsed = time.monotonic() - start
        say(f"{survivor.name} serves now; {elapsed:.0f} s after the crash every kind of operation goes on")
        with step(f"{active.name} is switched on again"):
            active.start()
            active.wait_until_booted()
        cluster.settle()
    load.stop()
    verdict = load.check(crash=True)
    say(verdict.text)
    verdict.assert_green()
    return verdict


def _watch(load: Load, start: float) -> None:
    """Print a line each second: how many operations so far, and how long ago the last write ended."""
    stalled = False
    while time.monotonic() - start < _STALL_SECONDS:
        count, silence = load.silence()
        stalled = stalled or silence > _QUIET
        bar = "#" * min(60, int(silence))
        say(f"{time.monotonic() - start:6.1f} s  {count:7d} operations  last write {silence:5.1f} s ago {bar}")
        if stalled and silence <= _QUIET:
            load.wait_until_writes()
            return
        time.sleep(1.0)
    raise ProductError(f"the client did not write again within {_STALL_SECONDS:g} s of the crash")
