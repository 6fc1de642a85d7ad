"""What is mounted on this machine (proc(5), mounts)."""

from __future__ import annotations

from nfsha_config.host.write import read
from nfsha_config.paths import Paths


def ocfs2(paths: Paths) -> set[str]:
    """The mount points of all OCFS2 volumes."""
    rows = (line.split() for line in (read(paths.at("/proc/self/mounts")) or "").splitlines())
    return {row[1] for row in rows if row[2] == "ocfs2"}
