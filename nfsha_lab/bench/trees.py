"""Lays a contender's files on a machine, as they lie in its folder of `trees`, and runs its script there."""

from __future__ import annotations

from pathlib import Path

from nfsha_lab import tree
from nfsha_lab.machine import Machine

TREES = Path(__file__).with_name("trees")
_SCRIPT_SECONDS = 1500.0
_TAR, _SCRIPT = "/root/tree.tar", "/root/setup.sh"


def set_up(machine: Machine, name: str, role: str) -> None:
    """Lay trees/NAME/ROLE over the machine and run trees/NAME/ROLE.sh; ProductError with its words if it fails."""
    folder = TREES / name / role
    if folder.is_dir():
        machine.write_file(_TAR, tree.archive(tree.files(folder)))
        machine.succeed(f"tar --extract --no-same-owner --directory / --file {_TAR} && rm {_TAR}")
    machine.write_file(_SCRIPT, (TREES / name / f"{role}.sh").read_text())
    machine.succeed(
        f"export DEBIAN_FRONTEND=noninteractive; sh -eux {_SCRIPT} >/root/setup.log 2>&1 "
        "|| { tail -n 30 /root/setup.log; false; }",
        _SCRIPT_SECONDS,
    )


def digest(*names: str) -> str:
    """A hash of all files of these contenders' folders."""
    paths = (path for name in names for path in sorted((TREES / name).rglob("*")) if path.is_file())
    return tree.digest(paths, TREES)
