"""Heartbeats are read from where they lie, and a node is marked as gone in the way it would say so itself."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfsha_config.host import heartbeat
from nfsha_config.host import volume as ocfs2
from nfsha_config.host.heartbeat import Region
from nfsha_config.problems import Refused

from .disks import poke, shell
from .standins import block, crc32_le

_START = 8192
_MAKE = (
    'truncate -s 64M "$image" && mkfs.ocfs2 -q -F -x -b 4096 -C 4096 -J size=4M -N 2 --cluster-stack=o2cb '
    '--cluster-name=ocfs2 "$image" </dev/null && sync "$image"'
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is on a disk: a tmpfs takes no O_DIRECT."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as path:
        yield Path(path)


@pytest.fixture
def region(folder: Path) -> Region:
    """Two nodes' region; node 1 beats, node 2 never did."""
    device = folder / "device"
    device.write_bytes(bytes(_START + 4096))
    poke(device, _START + 512, block(100, 1))
    return Region(device, _START, 2)


@given(st.binary(max_size=600))
def test_the_checksum_is_the_kernels(data: bytes) -> None:
    assert heartbeat.checksum(data) == crc32_le(data)


def test_a_block_is_parsed() -> None:
    beat = heartbeat.parse(block(1700000000, 2, 0xFEDCBA9876543210))
    assert beat is not None
    assert (beat.seq, beat.node, beat.generation) == (1700000000, 2, 0xFEDCBA9876543210)


@pytest.mark.parametrize("at", [0, 8, 12, 16, 24, 28, 511])
def test_a_torn_block_is_no_beat(at: int) -> None:
    torn = bytearray(block(1700000000, 2))
    torn[at] ^= 1
    assert heartbeat.parse(bytes(torn)) is None


def test_a_block_that_was_never_written_is_no_beat() -> None:
    assert heartbeat.parse(bytes(512)) is None
    assert heartbeat.parse(block(0, 1)) is None


@given(st.integers(1, 2**63), st.integers(1, 254), st.integers(1, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=484))
def test_a_mark_is_a_beat_of_generation_0_and_nothing_else(seq: int, node: int, generation: int, dead_ms: int, tail: bytes) -> None:
    beat = heartbeat.parse(block(seq, node, generation, dead_ms, tail))
    assert beat is not None
    assert beat.mark() == block(seq + 1, node, 0, dead_ms, tail)


def test_who_never_made_a_beat_is_not_read(region: Region) -> None:
    assert {number: beat.seq for number, beat in region.read().items()} == {1: 100}
    poke(region.device, _START + 1024, block(200, 2))
    assert {number: beat.seq for number, beat in region.read().items()} == {1: 100, 2: 200}


def test_a_beat_in_anothers_place_is_not_read(region: Region) -> None:
    poke(region.device, _START + 1024, block(200, 1))
    assert set(region.read()) == {1}


def test_only_the_nodes_own_block_is_marked(region: Region) -> None:
    poke(region.device, _START + 1024, block(200, 2, 7, 32000, b"tail"))
    before = region.device.read_bytes()
    region.mark_down(region.read()[2])
    assert region.read()[2].generation == 0
    after = region.device.read_bytes()
    place = slice(_START + 1024, _START + 1536)
    assert after[place] == block(201, 2, 0, 32000, b"tail")
    assert (after[: place.start], after[place.stop :]) == (before[: place.start], before[place.stop :])


def test_a_device_that_ends_too_early_is_an_error(region: Region) -> None:
    os.truncate(region.device, _START + 1024)
    with pytest.raises(OSError, match="was not read whole"):
        region.read()


def test_the_region_of_a_real_volume(folder: Path) -> None:
    image = folder / "volume"
    shell(_MAKE, image=image)
    region = heartbeat.find(image, 2)
    assert region.read() == {}
    poke(image, region.start + 512, block(100, 1))
    shell('debugfs.ocfs2 -n -R "dump //heartbeat $folder/dumped" "$image"', image=image, folder=folder)
    assert (folder / "dumped").read_bytes()[512:1024] == block(100, 1)
    assert region.read()[1].seq == 100


def test_a_heartbeat_file_in_pieces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [ocfs2.Extent(folder, 0, 1024), ocfs2.Extent(folder, 8192, 8192)]
    monkeypatch.setattr(heartbeat, "extents", lambda device, name: pieces)
    with pytest.raises(Refused, match="lies in pieces"):
        heartbeat.find(folder, 2)
    assert heartbeat.find(folder, 1) == Region(folder, 0, 1)


def test_the_block_is_laid_out_as_the_kernels() -> None:
    """struct o2hb_disk_heartbeat_block (fs/ocfs2/cluster/ocfs2_heartbeat.h), little-endian by its offsets."""
    made = block(0x0102030405060708, 9, 0x1112131415161718, 0x21222324)
    assert made[:9] == bytes([8, 7, 6, 5, 4, 3, 2, 1, 9])
    assert made[16:28] == bytes.fromhex("1817161514131211") + bytes.fromhex("24232221")
    beat = heartbeat.parse(made)
    assert beat is not None and (beat.seq, beat.node) == (0x0102030405060708, 9)
    assert struct.unpack_from("<I", beat.mark(), 24) == (0x21222324,)
