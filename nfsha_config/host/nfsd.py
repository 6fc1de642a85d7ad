"""What the kernel's NFS server counts (/proc/net/rpc/nfsd: net/sunrpc/stats.c, fs/nfsd/stats.c).

/proc/fs/nfsd/threads would wait for a server that does not end (fs/nfsd/nfsctl.c, write_threads, takes nfsd_mutex).
"""

from __future__ import annotations

from nfsha_config.file import read
from nfsha_config.paths import Paths


def threads(paths: Paths) -> int:
    """How many threads it has."""
    return _first("th", paths)


def calls(paths: Paths) -> int:
    """How many calls it has taken since the machine's start."""
    return _first("rpc", paths)


def _first(line: str, paths: Paths) -> int:
    """The first number in a line; 0 where there is none, as before the server's first start."""
    for name, *numbers in map(str.split, (read(paths.at("/proc/net/rpc/nfsd")) or "").splitlines()):
        if name == line and numbers:
            return int(numbers[0])
    return 0
