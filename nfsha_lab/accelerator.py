"""KVM is used only where Debian's kernel was seen to boot with it: a /dev/kvm that opens may still hang guests."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from nfsha_lab.deadline import Deadline
from nfsha_lab.folders import Folders
from nfsha_lab.image import Image
from nfsha_lab.log import say, step
from nfsha_lab.qemu import ACCELERATORS, BINARY, MACHINE

DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROBE_SECONDS = 20.0

# The initial ramdisk's shell says it (guest/usr/share/lab/init): interrupts and user space work.
PROOF = b"lab: user space"


def _boots(image: Image) -> bool:
    """Whether the image's kernel reaches user space under KVM within PROBE_SECONDS."""
    with tempfile.TemporaryDirectory(prefix="nfsha-lab-") as folder:
        console = Path(folder) / "console"
        console.touch()
        # fmt: off
        command = [
            BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-machine", MACHINE, *ACCELERATORS["kvm"],
            "-m", "256", "-kernel", os.fspath(image.kernel), "-initrd", os.fspath(image.initrd), "-no-reboot",
            "-append", "console=ttyS0 panic=1", "-serial", f"file:{console}",
        ]
        # fmt: on
        nothing = subprocess.DEVNULL
        probe = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)
        deadline = Deadline(PROBE_SECONDS)
        try:
            while probe.poll() is None and not deadline.expired:
                if PROOF in console.read_bytes():
                    return True
                time.sleep(0.1)
            return False
        finally:
            probe.kill()
            probe.wait()


def choose(folders: Folders, image: Image) -> str:
    """ "kvm" after proof, else "tcg" (emulation); the verdict holds until the host boots again.

    NFSHA_LAB_ACCELERATOR=tcg or =kvm settles it without a trial.
    """
    forced = os.environ.get("NFSHA_LAB_ACCELERATOR")
    if forced in ACCELERATORS:
        return forced
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return "tcg"
    cached = folders.cache / "accelerator.json"
    boot = BOOT_ID.read_text().strip()
    try:
        verdict = json.loads(cached.read_text())
        if verdict["boot"] == boot and verdict["accelerator"] in ACCELERATORS:
            return str(verdict["accelerator"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with step(f"trying KVM (at most {PROBE_SECONDS:g} s)"):
        accelerator = "kvm" if _boots(image) else "tcg"
    if accelerator == "tcg":
        say("KVM does not boot Debian's kernel on this host: the machines are emulated, which is slow")
    cached.write_text(json.dumps({"boot": boot, "accelerator": accelerator}))
    return accelerator
