"""What lies on the LUN: nothing, this site's volumes, or something that must not be touched."""

from __future__ import annotations

import errno
import json
import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from nfsha_config.problems import Refused
from nfsha_config.run import run
from nfsha_config.site.kinds import size_text
from nfsha_config.site.model import Site

_END = 8 * 2**20
_SAMPLE = 64 * 2**10
_SAMPLES = 64
_SECTOR = 512


class Content(Enum):
    """What was found on a device."""

    BLANK = "nothing at all"
    PARTITIONED = "this site's partition table, with a part that is still blank"
    READY = "this site's two volumes"
    FOREIGN = "something else"


@dataclass(frozen=True)
class Found:
    """The content; for FOREIGN a word of what it is, for PARTITIONED the numbers of the partitions that are blank."""

    content: Content
    what: str = ""
    blank: tuple[int, ...] = ()


@dataclass(frozen=True)
class Region:
    """A part of a device, in bytes."""

    start: int
    size: int


def examine(device: Path, site: Site) -> Found:
    """Look at the device without writing to it.

    Blank is only what blkid(8) and wipefs(8) know nothing of, and whose first and last 8 MiB and 64 samples between
    are zero. Raises Refused where it can't be read, since an error is not "blank", and where it has not the site's
    size: it may have been grown, with all data on it.
    """
    size = _size(device)
    if device.is_block_device():
        run(["blockdev", "--flushbufs", device])
    if size != site.storage.size:
        raise Refused(
            f"{device} has {size_text(size)}, and storage.size says {size_text(site.storage.size)}; it is not used. "
            "Give the device that size again, or mend the site on all machines; erase nothing for it"
        )
    whole = Region(0, size)
    unknown = _unknown(device, whole)
    signature = _blkid(device, whole)
    if not signature:
        return _blank_or_not(device, unknown)
    if signature.get("PTTYPE") == "gpt" and signature.get("PTUUID") == str(site.disk_id) and "TYPE" not in signature:
        return _partitions(device, site)
    return Found(Content.FOREIGN, describe(signature))


def is_of(device: Path, site: Site) -> bool:
    """Whether a device is there, and has the site's partition table. Raises Refused where it can't be read."""
    return device.exists() and _blkid(device, Region(0, _size(device))).get("PTUUID") == str(site.disk_id)


def describe(signature: dict[str, str]) -> str:
    """A few words for what blkid found."""
    kind = signature.get("TYPE") or signature.get("PTTYPE", "an unknown signature")
    noun = "" if "TYPE" in signature else " partition table"
    names = [f"{key} {signature[key]}" for key in ("LABEL", "UUID", "PTUUID") if key in signature]
    return f"{kind}{noun}" + (f" ({', '.join(names)})" if names else "")


def layout(site: Site) -> str:
    """The partition table as sfdisk(8) reads it. The disk's GUID marks it as this site's."""
    return (
        f"label: gpt\nlabel-id: {site.disk_id}\n"
        f'start=1MiB, size={site.storage.state_size // 2**20}MiB, name="nfsha-state"\n'
        f'name="nfsha-data"\n'
    )


def partition_device(device: Path, number: int) -> Path:
    """A by-path name of a partition (udev, 60-persistent-storage.rules)."""
    return device.with_name(f"{device.name}-part{number}")


def volume_devices(site: Site) -> list[Path]:
    """The partitions of the two volumes, the state and the data."""
    return [partition_device(Path(site.lun_path), number) for number in (1, 2)]


def _partitions(device: Path, site: Site) -> Found:
    regions = _regions(device)
    wanted = {1: site.state_uuid, 2: site.data_uuid}
    if regions.keys() != wanted.keys():
        numbers = ", ".join(str(number) for number in regions) or "none"
        what = f"this site's partition table with other partitions (found: {numbers}; wanted: 1, 2)"
        return Found(Content.FOREIGN, what)
    blank = []
    for number, uuid in wanted.items():
        # The volume's own mark alone: what looks like another's may be the content of a file, for instance where
        # version 0.90 of md has its superblock (libblkid, superblocks/linux_raid.c), 64 KiB before the end.
        if _blkid(device, regions[number], "--match-types", "ocfs2").get("UUID") == str(uuid):
            continue
        signature = _blkid(device, regions[number])
        if signature:
            return Found(Content.FOREIGN, f"{describe(signature)} in partition {number}")
        if _unknown(device, regions[number]) is not None:
            return Found(Content.FOREIGN, f"unknown data in partition {number}")
        blank.append(number)
    return Found(Content.PARTITIONED, blank=tuple(blank)) if blank else Found(Content.READY)


def _regions(device: Path) -> dict[int, Region]:
    """The partitions by number: the digits at the end of sfdisk's name for each."""
    table = json.loads(run(["sfdisk", "--json", device]).stdout)["partitiontable"]
    sector = int(table.get("sectorsize", _SECTOR))
    rows = {int(re.sub(r".*\D", "", row["node"])): row for row in table.get("partitions", [])}
    return {number: Region(int(row["start"]) * sector, int(row["size"]) * sector) for number, row in rows.items()}


def _blkid(device: Path, region: Region, *only: str) -> dict[str, str]:
    """What blkid's low-level probe finds; exit status 2 is nothing, 8 is more than one thing (blkid(8))."""
    where = ["--offset", str(region.start), "--size", str(region.size)]
    done = run(["blkid", "--probe", "--output", "export", *only, *where, device], check=False)
    if done.returncode == 8:
        return {"TYPE": "more than one file system"}
    if done.returncode not in (0, 2):
        raise Refused(f"{device}: can't be read (blkid ended with {done.returncode}); mend the device, then try again")
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {key: value.replace("\\ ", " ") for key, _, value in pairs if key != "DEVNAME"}


def _blank_or_not(device: Path, unknown: int | None) -> Found:
    signatures = run(["wipefs", "--no-act", "--parsable", device]).stdout
    if any(line and not line.startswith("#") for line in signatures.splitlines()):
        return Found(Content.FOREIGN, "a signature that wipefs knows")
    if unknown is not None:
        return Found(Content.FOREIGN, f"unknown data near byte {unknown}")
    return Found(Content.BLANK)


def _unknown(device: Path, region: Region) -> int | None:
    """Where the first look meets something that is not zero. All is read, so that an error is not taken for content."""
    try:
        with device.open("rb", buffering=0) as file:
            looks = [(start, _is_zero(file.fileno(), start, length)) for start, length in _looked_at(region)]
    except OSError as error:
        raise Refused(f"{device}: can't be read ({error.strerror}); mend the device, then try again") from error
    return next((start for start, zero in looks if not zero), None)


def _is_zero(descriptor: int, start: int, length: int) -> bool:
    """Whether all of it is zero. Raises OSError; where a bad sector follows good ones, the first read is just short."""
    end = start + length
    zero = True
    while start < end:
        data = os.pread(descriptor, end - start, start)
        if not data:
            raise OSError(errno.EIO, f"ends at byte {start}")
        zero = zero and data == bytes(len(data))
        start += len(data)
    return zero


def _looked_at(region: Region) -> list[tuple[int, int]]:
    end = min(_END, region.size)
    places = [(region.start, end), (region.start + region.size - end, end)]
    step = region.size // (_SAMPLES + 1)
    return places + [(region.start + number * step, _SAMPLE) for number in range(1, _SAMPLES + 1) if step > _SAMPLE]


def _size(device: Path) -> int:
    try:
        with device.open("rb", buffering=0) as file:
            return os.lseek(file.fileno(), 0, os.SEEK_END)
    except OSError as error:
        raise Refused(f"{device}: can't be opened ({error.strerror}); is it the right device?") from error
