"""What is kept of machines when something went wrong on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nfsha_lab.errors import LabError
from nfsha_lab.lab import Lab, parallel
from nfsha_lab.log import say
from nfsha_lab.machine import Machine

_SECONDS = 120.0
_PING_SECONDS = 5.0
_ASKED: Mapping[str, str] = {
    "journal": "journalctl --no-pager -o short-precise",
    "units": "systemctl list-units --all --no-pager --full",
    # What a server has exported, as exportfs(8) believes and as its kernel does.
    "mounts": "cat /proc/self/mounts; cat /proc/fs/nfsd/exports /var/lib/nfs/etab /run/nfsha/exports/etab 2>/dev/null",
}
"""The end of a file's name, and the command whose output is in it."""
_LAST = "--boot --quiet --lines=30 --identifier=nfsha --identifier=Keepalived --identifier=Keepalived_vrrp"


def collect(lab: Lab, folder: Path) -> None:
    """Leave consoles, QEMU's words and, of machines that answer, journals, units and mounts in a folder.

    A machine that hangs has no say in what becomes of the others' and of whoever asked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parallel(lambda machine: _collect(machine, folder), lab.all)


def _collect(machine: Machine, folder: Path) -> None:
    (folder / f"{machine.name}.console").write_text(machine.console())
    if machine.qemu.errors.exists():
        (folder / f"{machine.name}.qemu").write_bytes(machine.qemu.errors.read_bytes())
    if _answers(machine):
        for end, command in _ASKED.items():
            _ask(machine, command, folder / f"{machine.name}.{end}")
    else:
        say(f"{machine.name}: does not answer, its journal is not collected")


def tell(lab: Lab) -> None:
    """Print what nfsha and keepalived said last on each machine, for who can't get at the folder."""
    for machine in filter(_answers, lab.all):
        try:
            said = machine.journal(_LAST)
        except LabError as error:
            said = str(error)
        if said.strip():
            say(f"the last words of {machine.name}:\n{said.rstrip()}")


def _answers(machine: Machine) -> bool:
    return machine.running and machine.state == "on" and machine.agent.ping(timeout=_PING_SECONDS)


def _ask(machine: Machine, command: str, place: Path) -> None:
    try:
        place.write_text(machine.run(command, _SECONDS).out)
    except LabError as error:
        say(f"{place.name} is not collected: {str(error).splitlines()[0]}")
