"""A domain of OCFS2's lock manager: who is in it, and locks in it that no file system takes, by dlmfs.

Documentation/filesystems/dlmfs.rst; o2cb mounts it on /dlm.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nfsha_config.file import read
from nfsha_config.paths import Paths

# The nodes that are in a domain, and those that are to be recovered (fs/ocfs2/dlm/dlmdebug.c).
_MEMBERS, _DEAD = "Domain Map", "Recovery Map"


class Domain:
    """One by its name, which is that of the volume's heartbeat region."""

    def __init__(self, name: str, paths: Paths) -> None:
        self.name = name
        self.folder, self.state = paths.dlm(name), paths.dlm_state(name)

    def dead(self, node: int) -> bool:
        """Whether a node is to be recovered."""
        return self._in(node, _DEAD)

    def recovered(self, node: int) -> bool:
        """Whether it is neither in the domain nor to be recovered."""
        return not self._in(node, _MEMBERS, _DEAD)

    def _in(self, node: int, *maps: str) -> bool:
        among = (line.partition(":") for line in (read(self.state) or "").splitlines())
        return any(str(node) in nodes.split() for name, _, nodes in among if name in maps)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Have a lock alone, and leave nothing behind; OSError where that can't be.

        Two that come and go with one name at the same time leave a lock that nobody ever gets
        (fs/ocfs2/dlmfs/userdlm.c).
        """
        self.folder.mkdir(exist_ok=True)
        place = self.folder / name
        try:
            # To write is to be alone with it.
            lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                yield
            finally:
                os.close(lock)
        finally:
            self._leave(place)

    def clear(self) -> None:
        """Take away what a program left that was killed."""
        if self.folder.exists():
            self._leave(*self.folder.iterdir())

    def _leave(self, *places: Path) -> None:
        """The last one takes the folder along, which would keep the node in the domain when the volume is unmounted."""
        with suppress(OSError):
            for place in places:
                place.unlink()
            self.folder.rmdir()
