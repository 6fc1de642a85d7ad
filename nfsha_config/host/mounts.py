"""What is mounted on this machine (proc(5), mounts)."""

from __future__ import annotations

from nfsha_config.file import read
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused


def ocfs2(paths: Paths) -> set[str]:
    """The mount points of all OCFS2 volumes."""
    return set(options(paths))


def options(paths: Paths) -> dict[str, list[str]]:
    """The options of each; "ro" also where OCFS2 made it so after an error (fs/ocfs2/super.c, ocfs2_handle_error)."""
    rows = (line.split() for line in (read(paths.at("/proc/self/mounts")) or "").splitlines())
    return {row[1]: row[3].split(",") for row in rows if row[2] == "ocfs2"}


def refuse_mounted(paths: Paths) -> None:
    """Raises Refused while a volume is mounted: taken from under it, the disk would make o2cb reset the machine."""
    if mounted := sorted(ocfs2(paths)):
        places = " ".join(mounted)
        raise Refused(f"{places}: still mounted; end what uses it (fuser -vm {places}), then try again")
