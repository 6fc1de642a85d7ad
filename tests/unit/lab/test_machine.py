"""A machine that will never be up is given up at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_lab.cable import Network
from nfsha_lab.errors import LabError
from nfsha_lab.image import Image
from nfsha_lab.machine import Machine
from nfsha_lab.qemu import Qemu
from nfsha_lab.topology import HOSTS

_PANIC = "[    9.1] Kernel panic - not syncing: Fatal exception\n[    9.1] ---[ end Kernel panic - not syncing: Fatal exception ]---\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """One whose QEMU runs, and whose agent never answers."""
    network = Network(tmp_path, ("nfs1",))
    image = Image(tmp_path / "image", "bookworm-1")
    made = Machine(Qemu(HOSTS["nfs1"], tmp_path, image, "tcg", network.port("nfs1"), tmp_path, "key"), network)
    monkeypatch.setattr(Machine, "running", True)
    return made


def test_a_kernel_that_panics_is_not_waited_for(machine: Machine) -> None:
    machine.qemu.console.write_text(f"user space\n{_PANIC}")
    with pytest.raises(LabError, match=r"(?s)^nfs1: its kernel panicked; .*Fatal exception"):
        machine.wait_until_up(60)


def test_a_panic_before_the_last_boot_is_history(machine: Machine) -> None:
    machine.qemu.console.write_text(f"{_PANIC}user space\n")
    with pytest.raises(LabError, match=r"^nfs1: not up within 0\.1 s"):
        machine.wait_until_up(0.1)
