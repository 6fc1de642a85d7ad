"""All machines are stopped, saved and restored together, and such a state can be kept for the next laboratory."""

import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nfsha_lab import qemu
from nfsha_lab.agent import AgentError
from nfsha_lab.deadline import Deadline
from nfsha_lab.errors import LabError
from nfsha_lab.lab import Lab, parallel
from nfsha_lab.log import say, step
from nfsha_lab.machine import Machine

KEPT_TAG = "kept"
KEPT_OF_A_KIND = 3
STATE_SECONDS = 300.0
CLOCK_SECONDS = 30.0

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def _checked(name: str) -> str:
    if not NAME.match(name):
        raise LabError(f"{name!r} is no name for a snapshot: letters, digits, dots, dashes, 64 at most")
    return name


def _stop(machine: Machine) -> None:
    if machine.state == "frozen":
        machine.thaw()
    machine.qemu.qmp.command("stop", timeout=STATE_SECONDS)


def _go(machine: Machine) -> None:
    machine.qemu.qmp.command("cont", timeout=STATE_SECONDS)


@contextmanager
def stopped(lab: Lab) -> Iterator[None]:
    """All machines stand still together for the length of the block, and go on together after it."""
    off = [machine.name for machine in lab.all if not machine.running]
    if off:
        raise LabError(f"{', '.join(off)}: off; a snapshot needs all machines to run")
    parallel(_stop, lab.all)
    try:
        yield
    finally:
        parallel(_go, lab.all)


def set_clocks(lab: Lab) -> None:
    """Give each machine the host's time of day: a restored one believes in the moment it was saved."""

    def set_clock(machine: Machine) -> None:
        deadline = Deadline(CLOCK_SECONDS)
        for _ in deadline.polls(0.2):
            try:
                machine.succeed(f"date --utc --set=@{time.time():.3f}", timeout=CLOCK_SECONDS)
                return
            except AgentError as error:
                deadline.check(f"{machine.name}: setting the clock ({error})")

    parallel(set_clock, lab.all)


def _save_states(lab: Lab, tag: str) -> None:
    parallel(lambda machine: machine.qemu.qmp.quiet(f"savevm {tag}", STATE_SECONDS), lab.all)


def _load_states(lab: Lab, tag: str) -> None:
    """Load a state into all machines, whether they run or are off, and let them go on together, network healed."""
    lab.prepare()
    for machine in lab.all:
        machine.agent.reset()
        if not machine.running:
            machine.start(paused=True)
    parallel(_stop, lab.all)
    lab.network.heal()
    parallel(lambda machine: machine.qemu.qmp.quiet(f"loadvm {tag}", STATE_SECONDS), lab.all)
    parallel(_go, lab.all)
    set_clocks(lab)


def save(lab: Lab, name: str) -> None:
    """Save memory and disks of all machines under a name, in place of what had that name; they go on at once."""
    with step(f"saving all machines as {_checked(name)!r}"), stopped(lab):
        _save_states(lab, name)


def restore(lab: Lab, name: str) -> None:
    """Bring all machines back to a saved state, also those that were killed; the network is healed.

    LabError if no such state is in each machine's disk; then nothing was touched.
    """
    _checked(name)
    for machine in lab.all:
        if name not in saved(machine):
            raise LabError(f"{machine.name}: has no saved state {name!r}; it has {saved(machine) or 'none'}")
    with step(f"restoring all machines to {name!r}"):
        _load_states(lab, name)


def saved(machine: Machine) -> list[str]:
    """The names of the states in a machine's disk."""
    disk = machine.qemu.disks[0]
    if not disk.exists():
        return []
    done = subprocess.run(
        ["qemu-img", "info", "--force-share", "--output=json", disk], capture_output=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise LabError(f"{machine.name}: cannot read {disk}: {done.stderr.decode(errors='replace').strip()}")
    information: dict[str, Any] = json.loads(done.stdout)
    return [str(snapshot["name"]) for snapshot in information.get("snapshots", [])]


def kept_key(lab: Lab, digest: str) -> str:
    """A name for all that a kept state depends on: image, QEMU and its command line, and the caller's digest."""
    version = subprocess.run([qemu.BINARY, "--version"], capture_output=True, check=True, timeout=30).stdout
    made_from = hashlib.sha256(version + Path(qemu.__file__).read_bytes())
    made_from.update(f"{lab.image.folder} {lab.accelerator} {digest} {lab.key.read_bytes().hex()}".encode())
    return made_from.hexdigest()[:16]


def _place(lab: Lab, kind: str, digest: str) -> Path:
    return lab.folders.kept / f"{_checked(kind)}-{kept_key(lab, digest)}"


@contextmanager
def _kept_lock(lab: Lab) -> Iterator[None]:
    lab.folders.make()
    with (lab.folders.kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def keep(lab: Lab, kind: str, digest: str = "") -> None:
    """Keep the present state of all machines in the cache, for `recall` by this or another laboratory.

    `kind` says what it is ("booted", "installed"); `digest` stands for what went into it besides the image, such as
    a hash of the installed packages. The newest three of each kind stay.
    """
    place = _place(lab, kind, digest)
    with _kept_lock(lab), step(f"keeping all machines as {place.name!r}"):
        new = place.with_name(f".{place.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        with stopped(lab):
            _save_states(lab, KEPT_TAG)
            for machine in lab.all:
                (new / machine.name).mkdir(parents=True)
                for disk in machine.qemu.disks:
                    shutil.copyfile(disk, new / machine.name / disk.name)
            parallel(lambda machine: machine.qemu.qmp.quiet(f"delvm {KEPT_TAG}", STATE_SECONDS), lab.all)
        (new / "image").symlink_to(lab.image.folder)
        shutil.rmtree(place, ignore_errors=True)
        new.rename(place)
        _discard_old(lab, kind)


def _discard_old(lab: Lab, kind: str) -> None:
    for left in lab.folders.kept.glob(f".{kind}-*.new"):
        shutil.rmtree(left, ignore_errors=True)
    places = [path for path in lab.folders.kept.iterdir() if path.name.rpartition("-")[0] == kind]
    places.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for number, place in enumerate(places):
        if number >= KEPT_OF_A_KIND or not (place / "image").exists():
            say(f"removing the old state {place.name}")
            shutil.rmtree(place, ignore_errors=True)


def recall(lab: Lab, kind: str, digest: str = "") -> bool:
    """Replace all machines by a kept state and let them run; False, and nothing done, if there is no such state."""
    place = _place(lab, kind, digest)
    with _kept_lock(lab):
        if not (place / "image").exists():
            return False
        with step(f"recalling all machines from {place.name!r}"):
            parallel(lambda machine: machine.crash(), lab.all)
            for machine in lab.all:
                machine.qemu.folder.mkdir(parents=True, exist_ok=True)
                for disk in machine.qemu.disks:
                    shutil.copyfile(place / machine.name / disk.name, disk)
            _load_states(lab, KEPT_TAG)
            parallel(lambda machine: machine.qemu.qmp.quiet(f"delvm {KEPT_TAG}", STATE_SECONDS), lab.all)
    return True
