"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write text to path by a rename, and say whether anything changed (text or permissions)."""
    if path.exists() and path.read_text(encoding="utf-8") == text and path.stat().st_mode & 0o7777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def remove(path: Path) -> bool:
    """Take a file away, and the folders above it that are empty then and were made for it (*.d)."""
    if not path.exists():
        return False
    path.unlink()
    if path.parent.name.endswith(".d") and not any(path.parent.iterdir()):
        path.parent.rmdir()
    return True
