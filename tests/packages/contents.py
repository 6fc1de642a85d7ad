"""What is in a file of the build, down to the last byte that a reader can get at."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Member:
    """A file, a folder or a link of a package, or a plain file as a package with one member."""

    place: str
    info: tarfile.TarInfo
    content: bytes


def members(path: Path) -> Iterator[Member]:
    """All that a .deb or a tar archive holds, the maintainer's scripts too; for any other file, itself."""
    if path.suffix == ".deb":
        for option in ("--ctrl-tarfile", "--fsys-tarfile"):
            archive = subprocess.run(["dpkg-deb", option, path], stdout=subprocess.PIPE, check=True).stdout
            yield from _members(f"{path.name}{'!' if option == '--fsys-tarfile' else '!DEBIAN/'}", archive)
    elif ".tar" in path.suffixes:
        yield from _members(f"{path.name}!", path.read_bytes())
    else:
        yield Member(path.name, tarfile.TarInfo(path.name), _plain(path.name, path.read_bytes()))


def holding(needles: Iterable[bytes], paths: Iterable[Path]) -> list[str]:
    """The members whose content, name or owner has one of the byte strings, in any case of letters."""
    wanted = [needle.lower() for needle in needles]
    assert all(wanted), "nothing to look for"
    found = []
    for path in paths:
        for member in members(path):
            owner = f"{member.info.uname} {member.info.gname} {member.info.linkname} {member.place}"
            text = member.content.lower() + b"\n" + owner.encode().lower()
            found += [f"{member.place}: {needle.decode(errors='replace')}" for needle in wanted if needle in text]
    return found


def _members(where: str, archive: bytes) -> Iterator[Member]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            content = file.read() if file else b""
            yield Member(f"{where}{info.name.removeprefix('./')}", info, _plain(info.name, content))


def _plain(name: str, content: bytes) -> bytes:
    return gzip.decompress(content) if name.endswith(".gz") else content
