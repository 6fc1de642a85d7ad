"""Lays a contender's files on a machine, as they lie in its folder of `trees`, and runs its script there."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from nfsha_lab.machine import Machine

TREES = Path(__file__).with_name("trees")
_SCRIPT_SECONDS = 1500.0
_TAR, _SCRIPT = "/root/tree.tar", "/root/setup.sh"


def set_up(machine: Machine, name: str, role: str) -> None:
    """Lay trees/NAME/ROLE over the machine and run trees/NAME/ROLE.sh; ProductError with its words if it fails."""
    tree = TREES / name / role
    if tree.is_dir():
        machine.write_file(_TAR, _tar(tree))
        machine.succeed(f"tar --extract --no-same-owner --directory / --file {_TAR} && rm {_TAR}")
    machine.write_file(_SCRIPT, (TREES / name / f"{role}.sh").read_text())
    machine.succeed(
        f"export DEBIAN_FRONTEND=noninteractive; sh -eux {_SCRIPT} >/root/setup.log 2>&1 "
        "|| { tail -n 30 /root/setup.log; false; }",
        _SCRIPT_SECONDS,
    )


def digest(*names: str) -> str:
    """A hash of all files of these contenders' folders."""
    made_from = hashlib.sha256()
    for name in names:
        for path in sorted((TREES / name).rglob("*")):
            if path.is_file():
                made_from.update(f"{path.relative_to(TREES)}\0".encode() + path.read_bytes() + b"\0")
    return made_from.hexdigest()


def _tar(tree: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                member = tarfile.TarInfo(str(path.relative_to(tree)))
                member.size, member.mode = len(data), 0o755 if path.stat().st_mode & 0o100 else 0o644
                tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
