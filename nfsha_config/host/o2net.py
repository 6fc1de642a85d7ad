"""o2cb's own connection between nodes, as its kernel module shows it (fs/ocfs2/cluster/netdebug.c, sc_debug_show)."""

from __future__ import annotations

import re

from nfsha_config.file import read
from nfsha_config.paths import Paths

_SOCKETS = "/sys/kernel/debug/o2net/sock_containers"
_HEARD = re.compile(r"remote node: +(\S+)$.*?data ready: +(\d+) usecs$", re.MULTILINE | re.DOTALL)


def lost(name: str, now: float, paths: Paths) -> float:
    """Seconds since something came from a node; infinite where it is not connected, or nobody can tell.

    now: of the monotonic clock, which the kernel notes as well. Who has nothing to say says so every o2cb_keepalive.
    For each connection the kernel logs "seq_file: buggy .next function sc_seq_next" (fs/seq_file.c, seq_read_iter), so
    this is nothing to ask all the time.
    """
    shown = read(paths.at(_SOCKETS)) or ""
    heard = [int(ready) / 1e6 for node, ready in _HEARD.findall(shown) if node == name]
    return now - max(heard) if heard else float("inf")
