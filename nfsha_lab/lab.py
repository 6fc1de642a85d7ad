"""The four machines together: booted, watched, taken down."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from nfsha_lab import accelerator, process, topology
from nfsha_lab.cable import Network
from nfsha_lab.errors import LabError
from nfsha_lab.folders import Folders
from nfsha_lab.image import Image, find_or_make
from nfsha_lab.invariant import Watch
from nfsha_lab.log import say, step
from nfsha_lab.machine import BOOT_SECONDS, Machine
from nfsha_lab.qemu import Qemu

RELEASE = "bookworm"

Result = TypeVar("Result")


def parallel(function: Callable[[Machine], Result], machines: Iterable[Machine]) -> dict[str, Result]:
    """Do something with all machines at once; the results by name, or the first error once all have ended."""
    machines = list(machines)
    if not machines:
        return {}
    with ThreadPoolExecutor(len(machines)) as pool:
        futures = {machine.name: pool.submit(function, machine) for machine in machines}
    return {name: future.result() for name, future in futures.items()}


def lab_key(folders: Folders) -> Path:
    """The private half of the key that opens every machine's root account by ssh, made at the first use."""
    path = folders.cache / "ssh_ed25519"
    if not path.exists():
        process.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", path], timeout=30)
    return path


class Lab:
    """A laboratory: `machines` by name, a `spare`, the `network` between them. Get one by `open_lab` or `attach`."""

    def __init__(self, folders: Folders, image: Image, accelerator: str, release: str) -> None:
        self.folders = folders
        self.image = image
        self.accelerator = accelerator
        self.release = release
        self.watch = Watch()
        self.network = Network(folders.run, (*topology.HOSTS, topology.SPARE.name))
        self.key = lab_key(folders)
        public = self.key.with_suffix(".pub").read_text().split()[1]
        self.machines: dict[str, Machine] = {}
        for host in (*topology.HOSTS.values(), topology.SPARE):
            qemu = Qemu(
                host=host,
                folder=folders.run / host.name,
                image=image,
                accelerator=accelerator,
                port=self.network.port(host.name),
                web=self.web,
                public_key=public,
            )
            self.machines[host.name] = Machine(qemu, self.network, self.watch.check)
        self.spare = self.machines.pop(topology.SPARE.name)

    def __getitem__(self, name: str) -> Machine:
        try:
            return self.machines[name]
        except KeyError:
            raise LabError(f"no machine is called {name!r}; there are {', '.join(self.machines)}") from None

    @property
    def all(self) -> list[Machine]:
        return list(self.machines.values())

    # Life.

    def prepare(self) -> None:
        """Leave on disk what `attach` needs, and start the switch."""
        self.folders.make()
        for name in beside(self.folders):
            say(f"laboratory {name!r} takes processor and memory from this one; scripts/lab --name {name} down ends it")
        link = self.folders.run / "image"
        link.unlink(missing_ok=True)
        link.symlink_to(self.image.folder)
        state = {"image": self.image.key, "accelerator": self.accelerator, "release": self.release}
        (self.folders.run / "lab.json").write_text(json.dumps(state))
        self.network.start()

    def boot(self, timeout: float = BOOT_SECONDS) -> None:
        """Start the machines that are off and wait until all have booted; two minutes if emulated."""
        self.prepare()
        with step(f"booting {', '.join(self.machines)} ({self.accelerator})"):
            for machine in self.all:
                if not machine.running:
                    machine.start()
            parallel(lambda machine: machine.wait_until_booted(timeout), self.all)

    def down(self) -> None:
        """Switch everything off at once and forget the machines' disks; consoles stay until the next boot."""
        everything = [*self.all, self.spare]
        parallel(lambda machine: machine.crash(), everything)
        self.network.stop()
        for machine in everything:
            for disk in machine.qemu.disks:
                disk.unlink(missing_ok=True)
        (self.folders.run / "lab.json").unlink(missing_ok=True)
        (self.folders.run / "image").unlink(missing_ok=True)

    def fresh(self) -> None:
        """Switch everything off, forget disks, consoles and faults: the next boot is everybody's first."""
        self.down()
        for machine in self.all:
            for path in (machine.qemu.console, machine.qemu.errors):
                path.unlink(missing_ok=True)

    @contextmanager
    def fifth(self) -> Iterator[Machine]:
        """A fifth machine, plain Debian, just booted; it is in no snapshot, and gone when the context ends."""
        machine = self.spare
        with step(f"booting {machine.name}"):
            machine.start()
            machine.wait_until_booted()
        try:
            yield machine
        finally:
            machine.crash()
            for disk in machine.qemu.disks:
                disk.unlink(missing_ok=True)

    # The repository the machines see.

    @property
    def web(self) -> Path:
        """A symbolic link to the folder, or to the address of the web server, that guests see as http://10.0.2.100/."""
        return self.folders.run / "www"

    def serve(self, folder: Path) -> str:
        """Show guests another folder over HTTP, at once; the address to use inside of them."""
        return self._show(os.fspath(folder.absolute()))

    def serve_from(self, port: int) -> str:
        """Show guests the web server at a port of the host's loopback, at once; the address to use inside of them."""
        return self._show(f"http://127.0.0.1:{port}")

    def _show(self, what: str) -> str:
        new = self.web.with_suffix(".new")
        new.unlink(missing_ok=True)
        os.symlink(what, new)
        os.replace(new, self.web)
        return f"http://{topology.REPOSITORY_ADDRESS}/"

    # Watching.

    @contextmanager
    def invariant(self, name: str, holds: Callable[[], bool], interval: float = 1.0) -> Iterator[None]:
        """Check `holds` every `interval` seconds and at every poll of every wait while the block lasts.

        The first violation (false, or an exception) fails the story with ProductError: at the next poll, or at the
        end of the block.
        """
        with self.watch.invariant(name, holds, interval):
            yield


def beside(folders: Folders) -> list[str]:
    """The names of other laboratories of this cache whose machines run."""
    others = (run for run in folders.run.parent.glob("*") if run != folders.run)
    return sorted(run.name for run in others if Network(run, ()).daemon.pid is not None)


def open_lab(folders: Folders, release: str = RELEASE, more: tuple[str, ...] = ()) -> Lab:
    """A laboratory of this release, its image made if need be; machines that run already stay as they are.

    `more` are packages that its image has beyond those of everybody's (see image.find_or_make).
    """
    image = find_or_make(folders, release, more)
    return Lab(folders, image, accelerator.choose(folders, image), release)


def attach(folders: Folders) -> Lab:
    """The laboratory that was booted before, by whatever process; LabError if there is none."""
    try:
        state = json.loads((folders.run / "lab.json").read_text())
        image = Image((folders.run / "image").resolve(), state["image"])
    except (OSError, ValueError, KeyError) as error:
        raise LabError(f"no laboratory called {folders.name!r} is up (in {folders.run}); boot one first") from error
    return Lab(folders, image, state["accelerator"], state["release"])
