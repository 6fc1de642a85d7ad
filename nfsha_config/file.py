"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def read(path: Path) -> str | None:
    """The text of a file, None where there is none; what is no UTF-8 comes back through write byte by byte.

    A process or control group may go between the opening and the reading: ESRCH (proc(5)), ENODEV (kernfs).
    """
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH, errno.ENODEV):
            return None
        raise


def content(path: Path) -> str:
    """What a file of one line says, without the white space around it; empty where there is no file."""
    return (read(path) or "").strip()


def write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write text to path by a rename, and say whether anything changed (text or permissions).

    What a program that was killed in the middle has left is taken away by the next one, by its name.
    """
    if read(path) == text and path.stat().st_mode & 0o7777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.nfsha-new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True


def overwrite(path: Path, text: str) -> bool:
    """Change a file in place, for those who watch it (inotify(7)), and say whether anything changed."""
    if read(path) == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def remove(path: Path) -> bool:
    """Take a file away, and a unit's drop-in folder that is empty then; other folders belong to packages."""
    if not path.exists() and not path.is_symlink():
        return False
    path.unlink()
    folder = path.parent
    if folder.name.endswith(".d") and folder.parent.name == "system" and not any(folder.iterdir()):
        folder.rmdir()
    return True
