"""The grace period of the kernel's NFS server, in which clients reclaim what they had (RFC 8881, 8.4.2.1)."""

from __future__ import annotations

from nfsha_config.file import content
from nfsha_config.paths import Paths


def grace_over(paths: Paths) -> bool:
    """Whether knfsd takes new opens and locks (fs/nfsd/nfsctl.c, write_v4_end_grace, which also tells)."""
    return content(paths.at("/proc/fs/nfsd/v4_end_grace")) == "Y"


def grace_limit(paths: Paths) -> float:
    """Seconds after which it has ended in any case: it is extended while clients reclaim, by two leases at the most."""
    lease = content(paths.at("/proc/fs/nfsd/nfsv4leasetime"))
    grace = content(paths.at("/proc/fs/nfsd/nfsv4gracetime"))
    return float(grace or 90) + 2 * float(lease or 90)
