"""A planned switchover: the other nodes are looked at first, and this one goes on when none of them takes over."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence

from nfsha_config.file import remove, write
from nfsha_config.host import overview, status
from nfsha_config.host.overview import Seen
from nfsha_config.host.promotion import READY
from nfsha_config.host.status import Status
from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT, Paths
from nfsha_config.problems import CommandFailed, Refused
from nfsha_config.run import run

log = logging.getLogger(__name__)

UNIT = "nfsha-switchover.service"
# Seconds in which another node has to serve; it gives a promotion up itself before.
_BOX = 2 * READY
# Seconds that an asked node gets to begin.
_ANSWER = 4 * status.INTERVAL


def request(paths: Paths) -> str:
    """Switch over, from whichever node it is asked; return the name of the node that serves then.

    Raises Refused when no other node is fit, CommandFailed when the service is not with another node in time.
    """
    me = os.uname().nodename
    serving, others = choose(overview.look(paths))
    if serving.node == me:
        _start(2 * _BOX)
        return _wait_for_one_of(others, _ANSWER, paths)
    write(paths.shared("request"), f"{me}\n", 0o600)
    try:
        return _wait_for_one_of(others, _ANSWER + _BOX, paths)
    finally:
        # Nobody may find it later and do what is not wanted any more.
        remove(paths.shared("request"))


def _start(seconds: float) -> None:
    try:
        run(["systemctl", "start", UNIT], timeout=seconds)
    except CommandFailed as error:
        # systemctl only says that it failed.
        last = ["journalctl", "--quiet", "--output=cat", "--lines=1", "--identifier=nfsha", f"--unit={UNIT}"]
        why = run(last, check=False).stdout.strip().removeprefix("nfsha: ")
        raise CommandFailed(why or str(error)) from error


def hand_over(paths: Paths) -> None:
    """What the unit does on the serving node: let go, and wait until another node serves.

    However it ends, the unit starts keepalived again: as a standby, or to serve again when nobody has taken over.
    """
    _, others = choose(overview.look(paths))
    # The server's end writes out what is left (nfs-server.service); what is written out now, nobody waits for then.
    run(["sync", "--file-system", paths.at(DATA_MOUNT), paths.at(STATE_MOUNT)])
    run(["systemctl", "stop", "keepalived.service"])
    log.info("%s serves now", _wait_for_one_of(others, _BOX, paths))


def choose(seen: Seen) -> tuple[Status, Sequence[Status]]:
    """Who serves, and the others that report. Raises Refused with what is wrong with each where none is fit."""
    serving = next((one for one in seen.values() if one is not None and one.serving), None)
    if serving is None:
        raise Refused("no node serves now, so there is nothing to switch over; see: nfsha status")
    faults = {name: _fault(one, serving) for name, one in seen.items() if name != serving.node}
    if all(faults.values()):
        wrong = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        raise Refused(f"{serving.node} goes on serving, since no other node can: {wrong}. See: nfsha status")
    return serving, [one for name, one in seen.items() if one is not None and name in faults]


def _fault(other: Status | None, serving: Status) -> str:
    if other is None:
        return "does not report (is it up, with the state volume mounted and nfsha-status.service running?)"
    if other.serving:
        return "serves"
    if other.unfit:
        return other.unfit
    if other.vrrp != "BACKUP":
        return f"keepalived is in state {other.vrrp or 'stopped'}, not BACKUP"
    if other.timings != serving.timings:
        return "has other timings; install the same revision of the site on all nodes"
    return ""


def _wait_for_one_of(others: Sequence[Status], seconds: float, paths: Paths) -> str:
    """The one that serves. They reported a moment ago: the last words of one that died may be that it serves."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reports = [now for one in others if (now := status.load(one.node, paths)) is not None]
        for now in reports:
            if now.serving:
                return now.node
        if reports and all(now.unfit for now in reports):
            faults = "; ".join(f"{now.node} can't serve: {now.unfit}" for now in reports)
            raise CommandFailed(f"{faults}; see: nfsha status")
        time.sleep(0.2)
    raise CommandFailed(f"no other node serves after {seconds:g} s; see: nfsha status")
