"""What is on a device is told right, and looking changes no byte of it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nfsha_config.host import lun
from nfsha_config.host.lun import Content, Found
from nfsha_config.problems import Refused

from . import disks
from .disks import MIB, SIZE, STATE

SITE = disks.site()
OTHER = disks.site(cluster="other")
END = 8 * MIB
STEP = SIZE // 65
SAMPLE = 64 * 1024
DATA = MIB + STATE
"""Where the second partition begins."""


def look(image: Path) -> Found:
    """Examine the image as a block device, and see that it is byte-identical afterwards."""
    before = disks.digest(image)
    with disks.attached(image) as device:
        found = lun.examine(device, SITE)
        assert disks.digest(image, device) == before
    return found


def test_blank(image: Path) -> None:
    assert look(image) == Found(Content.BLANK)


def test_a_file_is_looked_at_as_a_device_is(image: Path, ready: Path) -> None:
    assert lun.examine(image, SITE) == Found(Content.BLANK)
    assert lun.examine(ready, SITE) == Found(Content.READY)


def test_ours_ready(ready: Path) -> None:
    assert look(ready) == Found(Content.READY)


def test_ours_partitioned(image: Path) -> None:
    disks.partition(image, SITE)
    assert look(image) == Found(Content.PARTITIONED, blank=(1, 2))


def test_ours_half_prepared(image: Path) -> None:
    disks.partition(image, SITE)
    disks.make_volume(image, SITE, 1, str(SITE.state_uuid))
    assert look(image) == Found(Content.PARTITIONED, blank=(2,))


def test_ours_with_the_first_volume_missing(image: Path) -> None:
    disks.partition(image, SITE)
    disks.make_volume(image, SITE, 2, str(SITE.data_uuid))
    assert look(image) == Found(Content.PARTITIONED, blank=(1,))


MADE = [
    ('mke2fs -q -t ext4 -F -L keep -U 11111111-2222-3333-4444-555555555555 "$image"',
     "ext4 (LABEL keep, UUID 11111111-2222-3333-4444-555555555555)"),
    ('mkfs.vfat -i 12345678 "$image"', "vfat (UUID 1234-5678)"),
    ('mkswap -U 11111111-2222-3333-4444-555555555555 "$image"', "swap (UUID 11111111-2222-3333-4444-555555555555)"),
    ('TEST_DIR=. TEST_DEV=. QA_CHECK_FS=. mkfs.xfs -q -L keep -m uuid=11111111-2222-3333-4444-555555555555 "$image"',
     "xfs (LABEL keep, UUID 11111111-2222-3333-4444-555555555555)"),
    ('mkfs.btrfs -q -U 11111111-2222-3333-4444-555555555555 "$image"', "btrfs (UUID 11111111-2222-3333-4444-555555555555)"),
    ('printf "label: dos\\nlabel-id: 0x12345678\\n,64M\\n" | sfdisk -q "$image"', "dos partition table (PTUUID 12345678)"),
    ('printf "label: gpt\\nlabel-id: 11111111-2222-3333-4444-555555555555\\n" | sfdisk -q "$image"',
     "gpt partition table (PTUUID 11111111-2222-3333-4444-555555555555)"),
    ('mkfs.ocfs2 -F -x -N 2 -L keep -U 11111111-2222-3333-4444-555555555555 --cluster-stack=o2cb --cluster-name=o "$image"',
     "ocfs2 (LABEL keep, UUID 11111111-2222-3333-4444-555555555555)"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "what"), MADE, ids=[what.split()[0] for _, what in MADE])
def test_foreign_content_made_by_the_real_program(image: Path, command: str, what: str) -> None:
    disks.shell(command, image=image)
    assert look(image) == Found(Content.FOREIGN, what)


def test_physical_volume_of_lvm(image: Path) -> None:
    with disks.attached(image) as device:
        # Empty: /etc/lvm is not there where LVM is not installed, and is not to be made (lvm(8)).
        disks.shell('pvcreate --quiet --quiet "$device" 2>/dev/null', device=device, LVM_SYSTEM_DIR="")
    assert look(image).what.startswith("LVM2_member (UUID ")


@pytest.mark.parametrize("offset", [4096, SIZE - 8192], ids=["1.2 at the start", "1.0 at the end"])
def test_member_of_a_raid(image: Path, offset: int) -> None:
    disks.poke(image, offset, _md_superblock(offset))
    assert look(image).what.startswith("linux_raid_member (")


def _md_superblock(offset: int) -> bytes:
    """md version 1 (linux/raid/md_p.h, mdp_superblock_1): mdadm makes none without md in the kernel."""
    block = bytearray(struct.pack("<IIII16s32s", 0xA92B4EFC, 1, 0, 0, b"\x11" * 16, b"keep:0").ljust(256, b"\0"))
    struct.pack_into("<QQQ", block, 128, 2048, 1000, offset // 512)
    words = struct.unpack("<64I", block)
    total = sum(words)
    struct.pack_into("<I", block, 216, (total & 0xFFFFFFFF) + (total >> 32))
    return bytes(block)


def test_the_content_of_a_file_does_not_make_a_volume_foreign(ready_image: Path) -> None:
    """A file may come to lie where version 0.90 of md has its superblock, and begin with its magic number."""
    disks.poke(ready_image, DATA + (disks.DATA & ~65535) - 65536, struct.pack("<IIII", 0xA92B4EFC, 0, 90, 0))
    volume = {"start": str(DATA), "size": str(disks.DATA), "image": ready_image}
    found = disks.shell('blkid --probe --offset "$start" --size "$size" "$image"', **volume)
    assert "linux_raid_member" in found
    assert look(ready_image) == Found(Content.READY)


def test_two_file_systems_at_once(image: Path) -> None:
    disks.shell(MADE[0][0], image=image)
    disks.poke(image, 0, b"XFSB" + struct.pack(">IQ", 4096, SIZE // 4096) + bytes(80) + struct.pack(">IIIIHHHH", 1, 1, 0, 0, 0, 512, 512, 8))
    assert look(image).content is Content.FOREIGN


def test_volumes_of_another_site(image: Path) -> None:
    disks.partition(image, OTHER)
    disks.make_volume(image, OTHER, 1, str(OTHER.state_uuid))
    assert look(image) == Found(Content.FOREIGN, f"gpt partition table (PTUUID {OTHER.disk_id})")


def test_volume_of_another_site_in_our_partition(image: Path) -> None:
    disks.partition(image, SITE)
    disks.make_volume(image, OTHER, 2, str(OTHER.data_uuid))
    assert look(image) == Found(Content.FOREIGN, f"ocfs2 (LABEL nfsha, UUID {OTHER.data_uuid}) in partition 2")


def test_other_file_system_in_our_partition(image: Path) -> None:
    disks.partition(image, SITE)
    disks.shell('mke2fs -q -F -U 11111111-2222-3333-4444-555555555555 -E offset="$offset" "$image" 32M', image=image, offset=str(MIB))
    assert look(image) == Found(Content.FOREIGN, "ext2 (UUID 11111111-2222-3333-4444-555555555555) in partition 1")


@pytest.mark.parametrize("offset", [MIB + STATE - 1, DATA, SIZE - MIB - 1])
def test_data_in_our_blank_partition(image: Path, offset: int) -> None:
    disks.partition(image, SITE)
    disks.poke(image, offset, b"\1")
    number = 1 if offset < DATA else 2
    assert look(image) == Found(Content.FOREIGN, f"unknown data in partition {number}")


@pytest.mark.parametrize(
    ("script", "numbers"),
    [(",32M", "1"), ("", "none"), (",32M\n,32M\n,32M", "1, 2, 3"), ("2: size=32M\n3: size=32M", "2, 3")],
)  # fmt: skip
def test_our_table_with_other_partitions(image: Path, script: str, numbers: str) -> None:
    disks.shell('printf "label: gpt\\nlabel-id: $id\\n$script\\n" | sfdisk -q "$image"', image=image, id=str(SITE.disk_id), script=script)
    what = f"this site's partition table with other partitions (found: {numbers}; wanted: 1, 2)"
    assert look(image) == Found(Content.FOREIGN, what)


@pytest.mark.parametrize(
    ("offset", "near"),
    [
        (0, 0), (END - 1, 0), (SIZE - END, SIZE - END), (SIZE - 1, SIZE - END),
        (STEP * 4, STEP * 4), (STEP * 32 + SAMPLE - 1, STEP * 32), (STEP * 60, STEP * 60),
    ],
)  # fmt: skip
def test_one_byte(image: Path, offset: int, near: int) -> None:
    disks.poke(image, offset, b"\1")
    assert look(image) == Found(Content.FOREIGN, f"unknown data near byte {near}")


def test_random_bytes_at_the_end(image: Path) -> None:
    disks.poke(image, -4096, bytes(range(256)) * 16)
    assert look(image) == Found(Content.FOREIGN, f"unknown data near byte {SIZE - END}")


@pytest.mark.parametrize(("size", "said"), [(SIZE - 512, str(SIZE - 512)), (SIZE + MIB, "193MiB")])
def test_wrong_size(image: Path, size: int, said: str) -> None:
    with image.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(Refused) as refused:
        look(image)
    assert f" has {said}, and storage.size says 192MiB; it is not used. " in str(refused.value)
    assert "wipefs" not in str(refused.value), "who has grown the disk of a cluster must not be told to erase it"


def test_no_size(tmp_path: Path) -> None:
    empty = disks.blank(tmp_path, 0)
    with disks.attached(empty) as device, pytest.raises(Refused, match=r" has 0, and storage[.]size says 192MiB; "):
        lun.examine(device, SITE)


def test_no_device(tmp_path: Path) -> None:
    place = tmp_path / "nothing"
    with pytest.raises(Refused, match="can't be opened \\(No such file or directory\\); is it the right device\\?"):
        lun.examine(place, SITE)


@pytest.mark.parametrize("readable", [0, MIB, END // 2, SIZE // 2, SIZE - END, SIZE - 4096])
def test_read_error(image: Path, readable: int) -> None:
    """Past the end of a backing file that has shrunk, a loop device with direct I/O answers with EIO."""
    with disks.attached(image, "--direct-io=on") as device:
        with image.open("r+b") as file:
            file.truncate(readable)
        with pytest.raises(Refused) as caught:
            lun.examine(device, SITE)
        assert str(caught.value) == f"{device}: can't be read (Input/output error); mend the device, then try again"


@pytest.mark.parametrize("readable", [MIB // 2, DATA, SIZE - MIB])
def test_read_error_on_our_device_is_no_foreign_content(ready_image: Path, readable: int) -> None:
    with disks.attached(ready_image, "--direct-io=on") as device:
        with ready_image.open("r+b") as file:
            file.truncate(readable)
        with pytest.raises(Refused, match="can't be read \\(Input/output error\\); mend the device, then try again"):
            lun.examine(device, SITE)


def test_what_another_machine_wrote_meanwhile_is_seen(ready: Path, image: Path) -> None:
    with disks.attached(image) as device, device.open("rb"):
        assert lun.examine(device, SITE) == Found(Content.BLANK)
        disks.shell('cp --sparse=never "$ready" "$image"', ready=ready, image=image)
        assert lun.examine(device, SITE) == Found(Content.READY)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One blank image for many looks."""
    image = disks.blank(tmp_path_factory.mktemp("scratch"))
    yield image
    image.unlink()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2 * END - 1), byte=st.integers(1, 255))
def test_a_byte_in_the_first_or_last_8_mib_is_never_blank(scratch: Path, place: int, byte: int) -> None:
    offset = place if place < END else SIZE - 2 * END + place
    disks.poke(scratch, offset, bytes([byte]))
    try:
        assert lun.examine(scratch, SITE).content is Content.FOREIGN
    finally:
        disks.poke(scratch, offset, b"\0")
