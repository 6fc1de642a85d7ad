"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def read(path: Path) -> str | None:
    """The text of a file, None where there is none; what is no UTF-8 comes back through write byte by byte."""
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write text to path by a rename, and say whether anything changed (text or permissions)."""
    if read(path) == text and path.stat().st_mode & 0o7777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(text.encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
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
