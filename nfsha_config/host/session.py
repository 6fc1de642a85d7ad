"""The session with the target, which a node that fences must not lose.

To tgt a registration is that of a session (usr/spc.c, lookup_registration_by_nexus). In the next session the kernel
sends anew what was under way before any program can register, the target refuses it, and clients are told EIO.
"""

from __future__ import annotations

from pathlib import Path

from nfsha_config.file import content
from nfsha_config.paths import Paths

GLANCE = 0.2
"""Seconds between two looks; iscsid logs in again after DefaultTime2Wait, 2 s (open-iscsi, usr/initiator.c)."""


def broken(iqn: str, paths: Paths) -> bool:
    """Whether a session with this target is not logged in (scsi_transport_iscsi.c, iscsi_session_state_names)."""
    return any(content(one / "state") != "LOGGED_IN" for one in _sessions(iqn, paths))


def idle(iqn: str, paths: Paths) -> bool:
    """Whether a session with this target is not logged in, nor about to be (the same, connection_state_names)."""
    place = "device/connection*/iscsi_connection/*/state"
    return any(content(state) == "failed" for one in _sessions(iqn, paths) for state in one.glob(place))


def _sessions(iqn: str, paths: Paths) -> list[Path]:
    sessions = paths.at("/sys/class/iscsi_session").glob("session*")
    return [one for one in sessions if content(one / "targetname") == iqn]
