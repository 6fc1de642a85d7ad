"""SCSI-3 persistent reservations: while one is held, the target takes writes from its registrants alone.

nfsha holds none but while it fences: to tgt a registration is that of a session, and outlives it (usr/spc.c,
lookup_registration_by_nexus), so after a reconnect the writes of the holder itself fail until it has registered again.
"""

from __future__ import annotations

import re
from pathlib import Path

from nfsha_config.problems import CommandFailed, Refused
from nfsha_config.run import run

_PREFIX = 0x6E667368 << 32
"""The bytes "nfsh": by them a person, and nfsha itself, knows whose keys they are."""

# Write Exclusive - Registrants Only (SPC-4, 5.13; sg_persist(8)).
_TYPE = "5"
_KEY = re.compile(r"0x([0-9a-f]+)")
_DEADLINE = 10.0


class Unfinished(CommandFailed):
    """A reservation was not taken for certain, and may stand all the same."""


def key(node: int) -> int:
    """The key of a node, by its number."""
    return _PREFIX | node


def node_of(held: int) -> int | None:
    """The number of the node whose key it is; None for a key that is not of nfsha."""
    return held & 0xFFFFFFFF if held >> 32 == _PREFIX >> 32 else None


def holder(device: Path) -> int | None:
    """The key that holds a reservation of the LUN; None where nobody does. Raises CommandFailed."""
    found = re.search(r"Key=0x([0-9a-f]+)", _in("--read-reservation", device))
    return int(found[1], 16) if found else None


def take(device: Path, own: int) -> None:
    """Let nobody write but the holder of this key.

    Raises Refused when another key holds a reservation already, Unfinished, and CommandFailed when the target does not
    do it.
    """
    held = holder(device)
    if held not in (None, own):
        raise Refused(f"{device}: reserved by key {held:#x} already")
    _register(device, own)
    try:
        if held is None:
            _reserve(device, own)
        for other in _registered(device) - {own}:
            _preempt(device, own, other)
        if holder(device) != own:
            raise CommandFailed(f"{device}: the target took the reservation, and yet it is not there")
    except CommandFailed as error:
        raise Unfinished(str(error)) from error


def renew(device: Path, own: int) -> None:
    """Go on with it in the present session, and take it anew where the target has forgotten it. Raises as `take`."""
    if holder(device) == own:
        _register(device, own)
    else:
        take(device, own)


def give_up(device: Path, own: int) -> None:
    """Let everybody write again; nothing to give up is no error. Raises CommandFailed."""
    if holder(device) == own:
        # A release would leave what is held by an earlier session of this node.
        clear(device, own)
    else:
        _unregister(device, own)


def clear(device: Path, own: int) -> None:
    """Take away whatever is reserved and registered. Raises CommandFailed."""
    _register(device, own)
    _out(device, "--clear", f"--param-rk={own:x}")


def _register(device: Path, own: int) -> None:
    _out(device, "--register-ignore", f"--param-sark={own:x}")


def _reserve(device: Path, own: int) -> None:
    try:
        _out(device, "--reserve", f"--param-rk={own:x}", f"--prout-type={_TYPE}")
    except CommandFailed:
        # Two nodes at once: the one that came second must not go on as a registrant of the first one's reservation.
        _unregister(device, own)
        raise


def _preempt(device: Path, own: int, other: int) -> None:
    """Take another's registration away, if it has not gone by itself meanwhile."""
    words = ("--preempt", f"--param-rk={own:x}", f"--param-sark={other:x}", f"--prout-type={_TYPE}")
    done = run(_words("--out", device, *words), check=False, timeout=_DEADLINE)
    if done.returncode and other in _registered(device):
        raise CommandFailed(f"{device}: key {other:#x} can't be taken away: {done.stderr.strip()}")


def _unregister(device: Path, own: int) -> None:
    run(_words("--out", device, "--register", f"--param-rk={own:x}", "--param-sark=0"), check=False, timeout=_DEADLINE)


def _registered(device: Path) -> set[int]:
    # The generation, which is in the same line as the number of keys, is no key.
    keys = _in("--read-keys", device).partition("PR generation")[2].partition(",")[2]
    return {int(found, 16) for found in _KEY.findall(keys)}


def _in(question: str, device: Path) -> str:
    return run(_words("--in", device, question), timeout=_DEADLINE).stdout


def _out(device: Path, *words: str) -> None:
    run(_words("--out", device, *words), timeout=_DEADLINE)


def _words(direction: str, device: Path, *words: str) -> list[str]:
    # Whenever a disk that was open for writing is closed, udev asks anew what it is (systemd-udevd.service(8)); that
    # takes a node's time in the middle of a takeover.
    return ["sg_persist", "--no-inquiry", "--readonly", direction, *words, str(device)]
