"""Block devices to look at: loop devices on sparse files, and what may lie on them, made by the real programs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nfsha_config.host import lun
from nfsha_config.site import load
from nfsha_config.site.model import Site

MIB = 2**20
SIZE = 192 * MIB
STATE = 32 * MIB
DATA = SIZE - STATE - 2 * MIB
"""Bytes of the second partition: sfdisk(8) leaves 1 MiB free before the first and after the last."""
_BLOCK = 65536


def site(device: str = "/dev/disk/by-id/virtio-nfsha-lun", cluster: str = "ocfs2") -> Site:
    """The laboratory's site with a LUN that is quick to make."""
    text = load.LAB.read_text(encoding="utf-8")
    for before, after in (
        ('size = "1GiB"', f'size = "{SIZE}"'),
        ('state_size = "64MiB"', f'state_size = "{STATE}"'),
        ('device = "/dev/disk/by-id/virtio-nfsha-lun"', f'device = "{device}"'),
        ('name = "ocfs2"', f'name = "{cluster}"'),
    ):
        assert before in text
        text = text.replace(before, after)
    return load.load(text, "test")


def shell(line: str, **variables: str | Path) -> str:
    """Run a line of sh with variables; return what it printed."""
    env = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    done = subprocess.run(["sh", "-euc", line], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def blank(folder: Path, size: int = SIZE) -> Path:
    """A new sparse image."""
    image = folder / "lun.img"
    with image.open("wb") as file:
        file.truncate(size)
    return image


def poke(image: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes of an image; a negative offset counts from its end."""
    with image.open("r+b") as file:
        file.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        file.write(data)


@contextlib.contextmanager
def attached(image: Path, *options: str) -> Iterator[Path]:
    """The image as a loop device."""
    device = Path(shell('losetup --find --show "$@" "$image"'.replace('"$@"', " ".join(options)), image=image).strip())
    try:
        yield device
    finally:
        shell('losetup --detach "$device"', device=device)


def digest(image: Path, device: Path | None = None) -> str:
    """A hash of all bytes that are not zero and their places; what is written to the device is flushed first."""
    if device:
        with device.open("rb") as file:
            os.fsync(file.fileno())
    summary = hashlib.sha256()
    with image.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        places = {place for start, end in _extents(file.fileno(), size) for place in range(start // _BLOCK, -(-end // _BLOCK))}
        for place in sorted(places):
            block = os.pread(file.fileno(), _BLOCK, place * _BLOCK)
            if block != bytes(len(block)):
                summary.update(b"%d " % place + block)
    return f"{size} {summary.hexdigest()}"


def _extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def partition(image: Path, of: Site) -> None:
    """Write the site's partition table."""
    shell('printf %s "$layout" | sfdisk --quiet "$image"', layout=lun.layout(of), image=image)


def make_volume(image: Path, of: Site, number: int, uuid: str, label: str = "nfsha") -> None:
    """Make OCFS2 in a partition of the image, as nfsha-storage does, but with -F: there is no cluster to ask."""
    part = image.with_name(f"volume-part{number}")
    with part.open("wb") as file:
        file.truncate(STATE if number == 1 else DATA)
    shell(
        'mkfs.ocfs2 -F -x -b 4096 -C 4096 -J size=4M -N 2 -L "$label" -U "$uuid" --cluster-stack=o2cb '
        '--cluster-name="$name" "$part"',
        part=part, label=label, uuid=uuid, name=of.cluster.name,
    )  # fmt: skip
    put(part, image)
    part.unlink()


def _start(part: Path) -> str:
    return "1" if part.name.endswith("1") else str(1 + STATE // MIB)


def get(part: Path, image: Path) -> None:
    """The reverse of put."""
    count = str((STATE if part.name.endswith("1") else DATA) // MIB)
    line = 'dd if="$image" of="$part" bs=1M skip="$start" count="$count" conv=sparse status=none'
    shell(line, part=part, image=image, start=_start(part), count=count)


def put(part: Path, image: Path) -> None:
    """Copy the bytes of a partition, whose file's name ends with its number, into its place in the image."""
    start = _start(part)
    shell('dd if="$part" of="$image" bs=1M seek="$start" conv=notrunc,sparse status=none', part=part, image=image, start=start)
