"""Where the system files of an OCFS2 volume lie on its device, as debugfs.ocfs2 tells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.problems import Refused
from nfsha_config.run import run

_EXTENT = re.compile(r"^\s*\d+\s+\d+\s+(\d+)\s+(\d+)\s+0x[0-9a-f]+\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Extent:
    """A part of a block device, in bytes."""

    device: Path
    start: int
    size: int


def extents(device: Path, name: str) -> list[Extent]:
    """The parts of a system file such as "journal:0000"; debugfs.ocfs2 reads past the page cache (O_DIRECT).

    Raises Refused where the device holds no such file, CommandFailed where debugfs.ocfs2 can't be asked.
    """
    stats = _ask(device, "stats")
    block, cluster = (1 << _number(f"{unit} Size Bits", stats, device) for unit in ("Block", "Cluster"))
    text = _ask(device, f"stat //{name}")
    found = [Extent(device, int(start) * block, int(clusters) * cluster) for clusters, start in _EXTENT.findall(text)]
    if sum(extent.size for extent in found) < _number("Size", text, device):
        raise Refused(f"{device}: {name} was not found whole; see `debugfs.ocfs2 -R 'stat //{name}' {device}`")
    return found


def slots(device: Path) -> int:
    """How many nodes can have the volume mounted at a time. Raises as extents does."""
    return _number("Max Node Slots", _ask(device, "stats"), device)


def _ask(device: Path, question: str) -> str:
    return run(["debugfs.ocfs2", "-n", "-R", question, device]).stdout


def _number(name: str, text: str, device: Path) -> int:
    match = re.search(rf"\b{name}: (\d+)", text)
    if match is None:
        raise Refused(f"{device}: debugfs.ocfs2 tells no {name.lower()}; is it an OCFS2 volume?")
    return int(match[1])
