"""A node in maintenance does not serve and does not take over, until it is told otherwise, also after a reboot."""

from __future__ import annotations

from nfsha_config.file import remove, write
from nfsha_config.host import switchover
from nfsha_config.paths import Paths


def begin(paths: Paths) -> None:
    """Hand the service over if this node has it, and stay out. Raises Refused when no other node is fit."""
    if paths.now("held").exists():
        switchover.request(paths)
    write(paths.maintenance, "nfsha maintenance off\n")


def end(paths: Paths) -> bool:
    """Take part again; False when the node was not in maintenance."""
    return remove(paths.maintenance)
