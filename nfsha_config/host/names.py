"""Commits what is done to names and attributes on the data as soon as it is done.

nfsd has no way to ask OCFS2 for it (no commit_metadata in fs/ocfs2/export.c; fs/nfsd/vfs.c, commit_inode_metadata), so
that it answers before the journal is written, which the journal's timer would do within a second. Of each change the
kernel tells whoever watches the file system (fanotify(7)); what comes while one commit runs is in the next one.
"""

from __future__ import annotations

import ctypes
import logging
import os
from pathlib import Path

from nfsha_config.paths import DATA_MOUNT, Paths

log = logging.getLogger(__name__)

# linux/fanotify.h. Events say which file system they are of, and open no file.
_FAN_CLOEXEC, _FAN_REPORT_FID = 0x1, 0x200
_FAN_MARK_ADD, _FAN_MARK_FILESYSTEM = 0x1, 0x100
_FAN_ATTRIB, _FAN_MOVED_FROM, _FAN_MOVED_TO, _FAN_CREATE, _FAN_DELETE = 0x4, 0x40, 0x80, 0x100, 0x200
_FAN_ONDIR = 0x40000000
_CHANGES = _FAN_ATTRIB | _FAN_MOVED_FROM | _FAN_MOVED_TO | _FAN_CREATE | _FAN_DELETE | _FAN_ONDIR
_AT_FDCWD = -100
# Bytes; all that waits is one commit.
_BUFFER = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]


def main(paths: Paths) -> None:
    """Commit each change, until stopped. Raises OSError where the data can't be watched or committed."""
    data = paths.at(DATA_MOUNT)
    changes = watch(data)
    volume = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    log.info("committing names as soon as they are made")
    while True:
        os.read(changes, _BUFFER)
        _checked(_libc.syncfs(volume), "syncfs")


def watch(path: Path) -> int:
    """A descriptor that gives events of every change of a name or an attribute on the path's file system."""
    changes = _checked(_libc.fanotify_init(_FAN_CLOEXEC | _FAN_REPORT_FID, os.O_RDONLY), "fanotify_init")
    kind = _FAN_MARK_ADD | _FAN_MARK_FILESYSTEM
    _checked(_libc.fanotify_mark(changes, kind, _CHANGES, _AT_FDCWD, os.fsencode(path)), f"fanotify_mark: {path}")
    return changes


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
