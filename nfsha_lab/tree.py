"""Folders that are laid out as they will lie on a machine: their files, an archive of them, a name for them."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

Files = Mapping[str, tuple[int, bytes]]
"""Path without leading slash -> (mode, content)."""


def files(top: Path) -> dict[str, tuple[int, bytes]]:
    """All files of a folder; of their modes only counts whether they can be executed."""
    return {
        str(path.relative_to(top)): (0o755 if path.stat().st_mode & 0o100 else 0o644, path.read_bytes())
        for path in sorted(top.rglob("*"))
        if path.is_file()
    }


def archive(found: Files) -> bytes:
    """An archive of the files in the format of tar(1), owned by root whoever made it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (mode, content) in found.items():
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def digest(paths: Iterable[Path], top: Path) -> str:
    """A hash of files, by their paths below `top` and what is in them."""
    made_from = hashlib.sha256()
    for path in paths:
        made_from.update(f"{path.relative_to(top)}\0".encode() + path.read_bytes() + b"\0")
    return made_from.hexdigest()
