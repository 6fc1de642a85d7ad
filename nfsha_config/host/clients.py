"""nfsha-clients.service: calls the clients back when this node has taken over, and lists them while it serves.

It runs on both nodes all the time, so that a takeover does not wait for Python to start. Nothing depends on it: without
it clients come back at their own pace.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import time
from dataclasses import replace

from nfsha_config.file import content
from nfsha_config.host import connections, history
from nfsha_config.host.connections import Connection
from nfsha_config.host.grace import grace_limit, grace_over
from nfsha_config.host.history import Takeover
from nfsha_config.host.promotion import READY
from nfsha_config.host.tickle import tickle
from nfsha_config.paths import Paths
from nfsha_config.run import run
from nfsha_config.site import load

log = logging.getLogger(__name__)

# Seconds between two looks whether the gate is open; the time a client may lose by it.
_LOOK = 0.1
# Seconds after the opening at which clients are called; more than once, since a packet may be lost, and a client
# answers one such ACK in half a second only (net.ipv4.tcp_invalid_ratelimit, ip-sysctl.rst).
_CALLS = (0.0, 0.7, 2.0, 5.0)
# Seconds between two lists. A client that connected since is not called back, and comes by its own retransmission.
_LIST = 2.0
# The steps of a takeover, by the name a person knows them by, and the unit that does each.
_UNITS = {
    "lock": "nfsha-active.service", "nfsdcld": "nfsdcld.service", "nfsd": "nfs-server.service",
    "gate": "nfsha-open.service",
}  # fmt: skip
# Seconds between the steps of one takeover, at the most.
_ALLOWANCE = 2 * READY


def main(paths: Paths) -> None:
    """Serve the clients of each time that the gate is open, until stopped."""
    virtual = load.load_file(paths.site).network.virtual_address.ip
    opened, lock = _made("open", paths), None
    served = opened is not None
    if opened is not None:
        lock = _made("held", paths)
        # A takeover of before this program's start is in the history, or nobody saw its steps.
        _serve(virtual, opened, paths, told=True)
    while True:
        opened = _made("open", paths)
        if opened is not None:
            before, lock = lock, _made("held", paths)
            _serve(virtual, opened, paths, again=lock == before)
            served = True
        elif served and _made("held", paths) is None:
            served = False
            for name, seconds in _ends().items():
                log.info("end of %s: %.1f s", name, seconds)
        time.sleep(_LOOK)


def _made(name: str, paths: Paths) -> float | None:
    """When the gate was opened, or the lock taken, in seconds since the epoch; None while it is not."""
    try:
        return paths.now(name).stat().st_mtime
    except FileNotFoundError:
        return None


def _serve(
    virtual: ipaddress.IPv4Address, opened: float, paths: Paths, *, told: bool = False, again: bool = False
) -> None:
    """From the opening of the gate to its closing; told says whether the history has this takeover already, again that
    the lock is the one with which the gate was opened before.
    """
    listed = before = connections.saved(paths.shared("connections"))
    start = time.monotonic()
    calls = [start + seconds for seconds in _CALLS]
    look = calls[-1]
    entry: Takeover | None = None
    while _made("open", paths) == opened:
        now = time.monotonic()
        if calls and now >= calls[0]:
            del calls[0]
            _call(virtual, before, paths)
        over = not told and grace_over(paths)
        if not told and (over or not calls):
            if entry is None:
                entry = _steps_told(takeover(opened, len(before), paths, again=again))
                if not over:
                    # This node may die before the grace period is over.
                    history.append(entry, paths.shared("history"))
            if over or now - start > grace_limit(paths):
                told = True
                _tell(entry, paths)
        if now >= look:
            look = now + _LIST
            listed = _list(virtual, listed, paths)
        time.sleep(_LOOK)
    if not told:
        _tell(entry or takeover(opened, len(before), paths, again=again), paths)


def _call(virtual: ipaddress.IPv4Address, before: list[Connection], paths: Paths) -> None:
    """Call those back who are not here yet."""
    try:
        tickle(virtual, set(before) - set(connections.established(virtual, paths)))
    except OSError as error:
        # keepalived has taken the address away again.
        log.warning("%s: clients can't be called back: %s", virtual, error.strerror)


def _list(virtual: ipaddress.IPv4Address, listed: list[Connection], paths: Paths) -> list[Connection]:
    """Bring the list up to date. An old one does no harm: who is not there any more is called in vain."""
    present = connections.established(virtual, paths)
    if not present or present == listed:
        return listed
    connections.save(present, paths.shared("connections"))
    return present


def takeover(opened: float, clients: int, paths: Paths, *, again: bool = False) -> Takeover:
    """What this node's takeover was like, by what its steps left behind; again: it had the lock already."""
    here, steps = os.uname().nodename, _steps()
    if again:
        steps.pop("lock", None)
        return Takeover(opened, here, here, clients, None, steps)
    previous = content(paths.now("previous"))
    return Takeover(opened, here, previous, clients, None, {**_fenced(opened, paths), **steps})


def _fenced(opened: float, paths: Paths) -> dict[str, float]:
    """How long the fencing took that led to this takeover, where there was one (guard.py)."""
    try:
        note = paths.now("fenced")
        recent = opened - note.stat().st_mtime < _ALLOWANCE
        return {"fence": float(note.read_text(encoding="utf-8").split()[1])} if recent else {}
    except (FileNotFoundError, ValueError, IndexError):
        return {}


def _steps() -> dict[str, float]:
    """Seconds that each unit took to start, if it started for this."""
    times = _times("InactiveExit", "ActiveEnter")
    last = max((end for _, end in times.values()), default=0.0)
    return {
        name: round(end - start, 3)
        for name, (start, end) in times.items()
        if start <= end and end > 0 and last - end < _ALLOWANCE
    }


def _ends() -> dict[str, float]:
    """Seconds that each unit took to end, in the order of their ends."""
    times = sorted(_times("ActiveExit", "InactiveEnter").items(), key=lambda item: item[1][1])
    return {name: round(end - start, 3) for name, (start, end) in times if start <= end and end > 0}


def _times(began: str, ended: str) -> dict[str, tuple[float, float]]:
    """When a change of each unit began and ended (org.freedesktop.systemd1(5), the timestamps)."""
    properties = [f"{what}TimestampMonotonic" for what in (began, ended)]
    words = ["systemctl", "show", f"--property={','.join(properties)}", *_UNITS.values()]
    blocks = run(words, check=False).stdout.strip().split("\n\n")
    values = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in blocks]
    times = [tuple(int(one.get(what) or 0) / 1e6 for what in properties) for one in values]
    return {name: (start, end) for name, (start, end) in zip(_UNITS, times, strict=False)}


def _steps_told(takeover: Takeover) -> Takeover:
    for name, seconds in takeover.steps.items():
        log.info("%s: %.1f s", name, seconds)
    return takeover


def _tell(takeover: Takeover, paths: Paths) -> None:
    """Log it, and keep it, with its grace period where that is over."""
    if grace_over(paths):
        takeover = replace(takeover, grace=max(0.0, time.time() - takeover.at))
    log.info("%s", takeover)
    history.append(takeover, paths.shared("history"))
