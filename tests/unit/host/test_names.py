"""Every change of a name or an attribute is told, and nothing else; what can't be watched says so."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nfsha_config.host import names

from .disks import shell

_SECONDS = 5.0


def told(changes: int, seconds: float = _SECONDS) -> bool:
    """Whether something was told; all of it is read."""
    ready = bool(select.select([changes], [], [], seconds)[0])
    if ready:
        os.read(changes, 1 << 16)
    return ready


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of which nobody else makes events, with a file in it."""
    shell('mount -t tmpfs tmpfs "$place"', place=tmp_path)
    (tmp_path / "old").write_text("text")
    yield tmp_path
    shell('umount "$place"', place=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new").touch(),
        lambda folder: (folder / "new").mkdir(),
        lambda folder: (folder / "old").rename(folder / "new"),
        lambda folder: (folder / "new").hardlink_to(folder / "old"),
        lambda folder: (folder / "old").unlink(),
        lambda folder: (folder / "old").chmod(0o600),
    ],
    ids=["create", "mkdir", "rename", "link", "unlink", "chmod"],
)
def test_a_change_is_told(folder: Path, change: Callable[[Path], object]) -> None:
    changes = names.watch(folder)
    assert not told(changes, 0)
    change(folder)
    assert told(changes)
    assert not told(changes, 0)
    os.close(changes)


def test_a_write_is_not_told(folder: Path) -> None:
    """It is synchronous by itself."""
    changes = names.watch(folder)
    with (folder / "old").open("a") as file:
        file.write("more")
    assert not told(changes, 0)
    os.close(changes)


def test_what_is_not_there_can_not_be_watched(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"fanotify_mark: .*nowhere: No such file or directory"):
        names.watch(tmp_path / "nowhere")
