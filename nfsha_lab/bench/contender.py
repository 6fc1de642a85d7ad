"""What the benchmark wants of a contender: to be set up from nothing, and to meet the four events in its own way."""

from __future__ import annotations

import hashlib
import inspect
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from nfsha_lab import snapshots, up
from nfsha_lab.bench import trees
from nfsha_lab.bench.packages import PACKAGES
from nfsha_lab.bench.rival import Rival
from nfsha_lab.folders import Folders
from nfsha_lab.lab import Lab, open_lab, parallel
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.second_client import MOUNT_EXPORT

_BASE = "bench-base"
_MOUNT_SECONDS = 300.0

# What the kernel says of every server, wherever it runs.
KERNEL_STEPS: Mapping[str, str] = {
    r"NFSD: starting \d+-second grace period": "nfsd runs, grace begins",
    r"NFSD: all clients done reclaiming": "grace ends: all have reclaimed",
    r"NFSD: no clients to reclaim": "no grace: no client is known",
}


RECOVERED = "OCFS2: journal replayed"
"""The step that ends the recovery of a dead node's volume; before the last one nobody can have what it held
(fs/ocfs2/dlmglue.c, ocfs2_wait_for_recovery)."""


LOCKED = "lock taken"
"""The step after which a node may serve."""


class Contender(ABC):
    """One way to serve NFS from these machines."""

    name: str
    title: str
    # Seconds after an event by which clients must go on for the round to count as recovered.
    bound: float = 200.0
    # Pattern of a line in a node's journal -> what it means, for the picture.
    steps: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def make(self, folders: Folders) -> Rival:
        """Set it up from nothing: one node serves, the client has mounted the export on /data."""

    def digest(self) -> str:
        """A name for all that its state depends on besides the image."""
        parts: tuple[Callable[..., object], ...] = (type(self).make, base, mount)
        code = "".join(map(inspect.getsource, parts))
        return hashlib.sha256((trees.digest("base", self.name) + code).encode()).hexdigest()

    @abstractmethod
    def planned(self, cluster: Rival, node: Machine) -> None:
        """Move the service away from the serving node, or restart it where there is but one."""

    def after_planned(self, cluster: Rival, node: Machine) -> bool:
        """What belongs to it once clients go on; whether clients may feel that, too."""
        return False

    def killed(self, cluster: Rival, node: Machine) -> None:
        """nfsd ends on the serving node."""
        node.succeed("rpc.nfsd 0")

    def crashed(self, cluster: Rival, node: Machine) -> None:
        """The serving node's power is cut."""
        node.crash()

    def cut(self, cluster: Rival, node: Machine) -> None:
        """The serving node's network is cut, its way to the disk with it."""
        node.block()


def base(folders: Folders) -> Lab:
    """Four machines with the LUN, the NFS server's and the client's packages: what all but nfsha start from."""
    lab, digest = open_lab(folders, more=PACKAGES), trees.digest("base")
    if snapshots.recall(lab, _BASE, digest):
        return lab
    up.booted(lab)
    with step("installing what all contenders have in common"):
        trees.set_up(lab["iscsi"], "base", "target")
        roles = {"nfs1": "node", "nfs2": "node", "client": "client"}
        parallel(lambda machine: trees.set_up(machine, "base", roles[machine.name]), [lab[name] for name in roles])
    snapshots.keep(lab, _BASE, digest)
    return lab


def mount(cluster: Rival, timeout: float = _MOUNT_SECONDS) -> None:
    """Mount the export on the client as nfsha does it there, hard and by NFSv4.2."""
    cluster.client.succeed(f"{MOUNT_EXPORT} /data", timeout)


def wait_out(node: Machine, seconds: float) -> None:
    """Wait until a node's nfsd has ended its grace period; the default is 90 s."""
    node.wait_until_succeeds("grep -qx Y /proc/fs/nfsd/v4_end_grace", seconds)
    time.sleep(1.0)
