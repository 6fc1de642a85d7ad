"""Keeps another node from the disk, until it has reset itself for certain."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from nfsha_config.host import heartbeat, reservation
from nfsha_config.problems import CommandFailed, Refused
from nfsha_config.site.model import Site, Timings

log = logging.getLogger(__name__)

# Seconds between two looks whether a reservation still stands, and lets this node write: the target forgets it when it
# restarts, and this node when its session broke while nothing watched it (session.py).
_CARE = 2.0


def reset_seconds(timings: Timings) -> float:
    """Seconds in which a node that can't write has reset itself for certain.

    It does so a beat before the others take it for dead (heartbeat.c, O2HB_MAX_WRITE_TIMEOUT_MS).
    """
    return (timings.o2cb_threshold + 1) * heartbeat.SECONDS


class Fence:
    """The reservation that keeps the other node out, from the fencing until that node has reset itself for certain."""

    def __init__(self, device: Path, node: int, timings: Timings) -> None:
        self.device = device
        self.key = reservation.key(node)
        self.seconds = reset_seconds(timings)
        self.until: float | None = None
        self.next = 0.0

    def adopt(self) -> None:
        """Go on with a reservation that an earlier run of this program left; it is not known how old it is."""
        try:
            if reservation.holder(self.device) == self.key:
                self.until = time.monotonic() + self.seconds
        except CommandFailed as error:
            log.warning("%s", error)

    def take(self) -> None:
        """Raises Refused or CommandFailed; what may stand then is given up by `care`."""
        try:
            reservation.take(self.device, self.key)
        except reservation.Unfinished:
            self.until = float("-inf")
            raise
        self.until = time.monotonic() + self.seconds

    def give_up(self) -> None:
        """Let everybody write again. Raises CommandFailed; `care` tries again then."""
        if self.until is not None:
            self.until = float("-inf")
            reservation.give_up(self.device, self.key)
            self.until = None

    def care(self) -> None:
        """Go on with it, and give it up when its time is over. Raises Refused or CommandFailed."""
        now = time.monotonic()
        if self.until is None or now < self.next:
            return
        self.next = now + _CARE
        if now > self.until:
            self.give_up()
            log.info("%s: everybody may write again", self.device)
        else:
            reservation.renew(self.device, self.key)


def wait_until_admitted(site: Site, node: int) -> None:
    """At boot: wait until the LUN takes this node's writes; no old life of the node can write any more.

    A reservation that stands for longer than any node keeps one is that of a node which died while it held it.
    """
    device, own = Path(site.lun_path), reservation.key(node)
    patience = reset_seconds(site.timings) + 10
    deadline = time.monotonic() + patience
    while (held := _holder(device)) is not None:
        whose = reservation.node_of(held)
        if whose is None:
            raise Refused(
                f"{device}: reserved by key {held:#x}, which is not of nfsha; if nothing else uses the LUN: "
                f"sg_persist --out --register-ignore --param-sark={own:x} {device} && "
                f"sg_persist --out --clear --param-rk={own:x} {device}"
            )
        if whose == node or time.monotonic() > deadline:
            log.info("%s: taking away the reservation that node %d left", device, whose)
            reservation.clear(device, own)
            return
        log.info("%s: node %d has fenced this one; waiting up to %.0f s", device, whose, patience)
        time.sleep(_CARE)


def _holder(device: Path) -> int | None:
    """A target that knows no reservations holds none; one that does not answer shows it at the next step."""
    try:
        return reservation.holder(device)
    except CommandFailed as error:
        log.info("%s", error)
        return None
