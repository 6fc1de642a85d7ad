"""Reads what a run left behind, from the server where possible and not from the client's own cache."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import WorkloadError
from .oplog import errno_name

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True)
class Evidence:
    """By name, the content of each file of a run, and the error of each that is there but cannot be read."""

    files: Mapping[str, bytes]
    unreadable: Mapping[str, str]

    @property
    def names(self) -> frozenset[str]:
        """All names found."""
        return frozenset(self.files) | frozenset(self.unreadable)


def drop_caches() -> None:
    """Make the kernel forget clean pages, names and attributes; WorkloadError for lack of the right."""
    os.sync()
    try:
        _DROP_CACHES.write_text("3\n")
    except OSError as error:
        raise WorkloadError(f"{_DROP_CACHES}: {error.strerror}; only root may drop caches") from None


def collect(directory: Path, run: str) -> Evidence:
    """Read all files of a run; WorkloadError if the directory cannot be listed."""
    files: dict[str, bytes] = {}
    unreadable: dict[str, str] = {}
    try:
        names = [name for name in os.listdir(directory) if name.startswith(f"{run}.")]
    except OSError as error:
        raise WorkloadError(f"{directory}: cannot be read: {error.strerror}") from None
    for name in names:
        try:
            files[name] = _read(directory / name)
        except FileNotFoundError:
            continue
        except OSError as error:
            unreadable[name] = errno_name(error.errno)
    return Evidence(files, unreadable)


def _read(path: Path) -> bytes:
    """The content as the server has it: the open revalidates, pages left cached are let go."""
    with open(path, "rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.readall()
