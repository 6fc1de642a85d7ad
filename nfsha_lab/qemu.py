"""How one machine is run by QEMU: its command line, its files, its process."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab import process, topology
from nfsha_lab.deadline import wait_for
from nfsha_lab.errors import LabError
from nfsha_lab.folders import socket_path
from nfsha_lab.image import Image
from nfsha_lab.qmp import Qmp

BINARY = "qemu-system-x86_64"
MEMORY_MEGABYTES = 512

# Nothing but PCI Express: each controller that nobody uses costs a boot its drivers.
MACHINE = "q35,usb=off,sata=off,smbus=off,i8042=off,vmport=off"

START_SECONDS = 60.0
DISK_SECONDS = 60.0

# KVM takes the host's processor. Emulation is slower with 57-bit addresses, with AVX, and with ERMS (string
# instructions go byte by byte); for each of the other extensions the guest would load a driver at boot, but for CX16:
# QEMU before 8.0 takes wrong flags from CMPXCHG16B, which the kernel's allocator uses (target/i386/tcg: the helper
# looks at a cc_op that is not up to date); an interrupt right after it was seen to be a double fault.
# fmt: off
ACCELERATORS = {
    "kvm": ["-accel", "kvm", "-cpu", "host"],
    "tcg": [
        "-accel", "tcg,tb-size=256",
        "-cpu", "max,la57=off,svm=off,aes=off,pclmulqdq=off,sha-ni=off,erms=off,avx=off,avx2=off,cx16=off",
    ],
}
# fmt: on

# A guest restored from a snapshot must not notice the time that passed: the HPET stands still with the machine,
# the TSC does not (and the cluster's heartbeats would fence both nodes at once).
# What only slows an emulated machine down (mitigations, apparmor, audit, watchdog) is off.
KERNEL_ARGUMENTS = (
    "root=/dev/vda rootfstype=ext4 rw console=ttyS0 net.ifnames=0 quiet fsck.mode=skip "
    "clocksource=hpet notsc nowatchdog mitigations=off apparmor=0 selinux=0 audit=0 cryptomgr.notests "
    "modprobe.blacklist=powernow_k8"
)


@dataclass(frozen=True)
class Qemu:
    """The QEMU of one machine; all of its state is in `folder`, so another process of ours can take it up."""

    host: topology.Host
    folder: Path
    image: Image
    accelerator: str
    port: Path
    web: Path
    public_key: str

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def daemon(self) -> process.Daemon:
        return process.Daemon(self.folder / "qemu.pid", os.fspath(self.folder / "qemu.pid"))

    @property
    def qmp(self) -> Qmp:
        return Qmp(self.folder / "qmp.sock", self.name)

    @property
    def agent_socket(self) -> Path:
        return self.folder / "agent.sock"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def errors(self) -> Path:
        return self.folder / "qemu.log"

    @property
    def disks(self) -> list[Path]:
        """The files that hold all of the machine's data and snapshots."""
        names = ["root", "lun"] if self.host.lun else ["root"]
        return [self.folder / f"{name}.qcow2" for name in names]

    def make_disks(self) -> None:
        """Make the disks that do not exist yet: an empty overlay of the image, and an empty LUN."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for disk in self.disks:
            if disk.exists():
                continue
            new = disk.with_suffix(".new")
            if disk.stem == "root":
                origin = ["-b", os.fspath(self.image.disk), "-F", "qcow2", os.fspath(new)]
            else:
                origin = [os.fspath(new), str(topology.LUN_BYTES)]
            process.run(["qemu-img", "create", "-q", "-f", "qcow2", *origin], timeout=DISK_SECONDS)
            new.rename(disk)

    def _kernel_arguments(self) -> str:
        own = {
            "host": self.name,
            "management": f"{topology.MANAGEMENT_ADDRESS}/24",
            "address": f"{self.host.address}/{topology.PREFIX_LENGTH}",
            "key": self.public_key,
        }
        words = [f"systemd.hostname={self.name}", *(f"lab.{name}={value}" for name, value in own.items())]
        return " ".join([KERNEL_ARGUMENTS, *words])

    def _disk_arguments(self) -> list[str]:
        """A flush goes to the host's page cache only: that survives the death of QEMU, which is our power cut."""
        arguments = []
        for disk in self.disks:
            serial = topology.LUN_SERIAL if disk.stem == "lun" else "nfsha-root"
            node = f"driver=qcow2,node-name={disk.stem},cache.no-flush=on,discard=unmap"
            arguments += [
                "-blockdev",
                f"{node},file.driver=file,file.filename={_comma(disk)}",
                "-device",
                f"virtio-blk-pci,drive={disk.stem},serial={serial}",
            ]
        return arguments

    def _network_arguments(self) -> list[str]:
        """eth0: QEMU's own closed network with ssh in and the repository out; eth1: the network under test."""
        serve = shlex.join([sys.executable, os.fspath(Path(__file__).with_name("webserver.py")), os.fspath(self.web)])
        management = [
            "user,id=management,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22",
            f"guestfwd=tcp:{topology.REPOSITORY_ADDRESS}:80-cmd:{_comma(serve)}",
        ]
        tested = f"stream,id=tested,server=off,addr.type=unix,addr.path={_comma(self.port)}"
        # fmt: off
        return [
            "-netdev", ",".join(management),
            "-device", "virtio-net-pci,netdev=management,mac=52:54:00:12:34:56,romfile=",
            "-netdev", tested,
            "-device", f"virtio-net-pci,netdev=tested,mac={self.host.mac},romfile=",
        ]
        # fmt: on

    def command_line(self, paused: bool) -> list[str]:
        """The whole command; `paused` leaves the processor stopped, for a snapshot to be loaded."""
        # fmt: off
        return [
            BINARY, "-name", self.name, "-pidfile", os.fspath(self.folder / "qemu.pid"),
            "-nodefaults", "-no-user-config", "-display", "none", "-machine", MACHINE,
            *ACCELERATORS[self.accelerator], "-smp", "1", "-m", str(MEMORY_MEGABYTES),
            "-kernel", os.fspath(self.image.kernel), "-initrd", os.fspath(self.image.initrd),
            "-append", self._kernel_arguments(),
            *self._network_arguments(),
            *self._disk_arguments(),
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,server=on,wait=off,path={_comma(socket_path(self.agent_socket))}",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-chardev", f"file,id=console,append=on,path={_comma(self.console)}",
            "-serial", "chardev:console",
            "-qmp", f"unix:{_comma(socket_path(self.qmp.path))},server=on,wait=off",
            *(["-S"] if paused else []),
        ]
        # fmt: on

    def start(self, paused: bool = False) -> None:
        """Start QEMU on the existing disks and wait until it obeys; LabError with its words if it ends at once."""
        if self.daemon.pid is not None:
            raise LabError(f"{self.name}: runs already, as process {self.daemon.pid}")
        self.make_disks()
        for path in (self.qmp.path, self.agent_socket):
            path.unlink(missing_ok=True)
        with self.errors.open("ab") as sink:
            begin = sink.tell()
            started = subprocess.Popen(
                self.command_line(paused), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
        wait_for(f"{self.name}: QEMU's control socket", self._obeys(started.poll, begin), START_SECONDS, 0.02)

    def _obeys(self, poll: Callable[[], int | None], begin: int) -> Callable[[], bool]:
        def obeys() -> bool:
            if poll() is not None:
                words = self.errors.read_bytes()[begin:].decode(errors="replace").strip()
                raise LabError(f"{self.name}: QEMU ended at once: {words}")
            if self.daemon.pid is None or not self.qmp.path.exists():
                return False
            try:
                self.qmp.command("query-status")
            except LabError:
                return False
            return True

        return obeys

    def kill(self) -> None:
        """End QEMU between two instructions, as a power cut does."""
        self.daemon.end(signal.SIGKILL)

    def ssh_port(self) -> int:
        """The port on 127.0.0.1 that leads to the machine's ssh server."""
        for line in self.qmp.monitor("info usernet").splitlines():
            words = line.split()
            if words and words[0].startswith("TCP[HOST_FORWARD]"):
                return int(words[3])
        raise LabError(f"{self.name}: QEMU forwards no port to the machine's ssh")


def _comma(value: str | Path) -> str:
    """A value inside of a QEMU option, where a comma is written twice."""
    return os.fspath(value).replace(",", ",,")
