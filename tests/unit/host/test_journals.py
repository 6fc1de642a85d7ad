"""Journals are found where debugfs.ocfs2 says, and only they leave the page cache."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path

import pytest

from nfsha_config.host import journals
from nfsha_config.host import volume as ocfs2
from nfsha_config.problems import Refused

from .disks import shell

_PAGE = mmap.PAGESIZE
_JOURNAL = 4 * 2**20
_MAKE = (
    'truncate -s 64M "$image" && mkfs.ocfs2 -q -F -x -b 4096 -C 4096 -J size=4M -N 2 --cluster-stack=o2cb '
    '--cluster-name=ocfs2 "$image" </dev/null && sync "$image"'
)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An OCFS2 volume for two nodes."""
    image = tmp_path / "volume"
    shell(_MAKE, image=image)
    return image


def cached(image: Path) -> set[int]:
    """The pages of a file that are in the page cache (mincore(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    with image.open("r+b") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_WRITE) as area:
        here = ctypes.c_char.from_buffer(area)
        flags = (ctypes.c_ubyte * (len(area) // _PAGE))()
        assert libc.mincore(ctypes.byref(here), ctypes.c_size_t(len(area)), flags) == 0
        del here
        return {number for number, flag in enumerate(flags) if flag & 1}


def test_journals_leave_the_page_cache_and_nothing_else_does(volume: Path) -> None:
    extents = journals.find(volume)
    assert [extent.size for extent in extents] == [_JOURNAL, _JOURNAL]
    with volume.open("rb") as file:
        for extent in extents:
            # The superblock of a journal (include/linux/jbd2.h, JBD2_MAGIC_NUMBER).
            assert os.pread(file.fileno(), 4, extent.start) == bytes.fromhex("c03b3998")
    volume.read_bytes()
    before = cached(volume)
    journals.drop(extents)
    after = cached(volume)
    pages = {page for one in extents for page in range(one.start // _PAGE, (one.start + one.size) // _PAGE)}
    assert before & pages, "nothing to drop"
    assert not after & pages
    # Round about them, whole folios of at most 2 MiB go with them; and a busy kernel may take a few of its own accord.
    elsewhere = before - set(range(min(pages) - 512, max(pages) + 513))
    assert len(elsewhere & after) > len(elsewhere) // 2


def test_a_volume_that_got_slots_later_has_a_journal_for_each(tmp_path: Path) -> None:
    image = tmp_path / "volume"
    # For one machine alone: tunefs.ocfs2 asks no cluster then.
    shell(_MAKE.replace("--cluster-stack=o2cb --cluster-name=ocfs2", "-M local"), image=image)
    before = journals.find(image)
    shell('tunefs.ocfs2 --yes --node-slots 8 "$image"', image=image)
    assert ocfs2.slots(image) == len(journals.find(image)) == 8
    assert journals.find(image)[: len(before)] == before
    shell('fsck.ocfs2 -f -n "$image"', image=image)


def test_no_ocfs2(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(bytes(2**20))
    with pytest.raises(Refused, match="is it an OCFS2 volume"):
        journals.find(tmp_path / "other")


def test_a_journal_that_is_not_found_whole(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = ocfs2._ask
    monkeypatch.setattr(ocfs2, "_ask", lambda device, question: ask(device, question).replace(" 1024 ", " 1023 "))
    with pytest.raises(Refused, match="not found whole"):
        journals.find(volume)
