"""The session with the target, which a node that fences must not lose.

To tgt a registration is that of a session (usr/spc.c, lookup_registration_by_nexus). In the next session the kernel
sends anew what was under way before any program can register, the target refuses it, and clients are told EIO.
"""

from __future__ import annotations

from nfsha_config.file import content
from nfsha_config.paths import Paths

GLANCE = 0.2
"""Seconds between two looks; iscsid logs in again after DefaultTime2Wait, 2 s (open-iscsi, usr/initiator.c)."""


def broken(iqn: str, paths: Paths) -> bool:
    """Whether a session with this target is not logged in (scsi_transport_iscsi.c, iscsi_session_state_names)."""
    sessions = paths.at("/sys/class/iscsi_session").glob("session*")
    return any(content(one / "targetname") == iqn and content(one / "state") != "LOGGED_IN" for one in sessions)
