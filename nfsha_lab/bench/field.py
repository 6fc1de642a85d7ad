"""A contender made ready for a round: it serves, three clients know it, the load runs, nothing has happened yet."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab import snapshots, tree
from nfsha_lab.bench import trace
from nfsha_lab.bench.contender import Contender
from nfsha_lab.bench.packages import PACKAGES
from nfsha_lab.bench.rival import Rival
from nfsha_lab.cluster import MOUNT, WORK
from nfsha_lab.folders import Folders
from nfsha_lab.lab import open_lab
from nfsha_lab.load import Load, install, make_directory
from nfsha_lab.lock_client import LockClient
from nfsha_lab.log import step
from nfsha_lab.second_client import ADDRESSES, SecondClient

IDLE, DOOMED = "idle", "doomed"
_HERE = "ready"
# Where a server is gone for good, its clients' operations do not end by being waited for.
_STOP_SECONDS = 5.0
_LAB = Path(__file__).parents[1]
_MADE_BY = (_LAB / "second_client.py", _LAB / "load.py", *sorted((_LAB / "workload").glob("*.py")))


@dataclass(frozen=True)
class Field:
    """The cluster, its busy client with its load, one that holds a lock and does nothing, and one that may die."""

    cluster: Rival
    load: Load
    busy: LockClient
    idle: SecondClient
    doomed: SecondClient

    def rewind(self) -> None:
        """Everything as it was when the field was made ready."""
        snapshots.restore(self.cluster.lab, _HERE)


def ready(contender: Contender, folders: Folders) -> Field:
    """Make a contender ready, from the cache where it has been made before; what ran in this laboratory is gone."""
    lab, made_from = open_lab(folders, more=PACKAGES), digest(contender)
    if not snapshots.recall(lab, f"bench-{contender.name}", made_from):
        with step(f"making {contender.title} ready"):
            cluster = contender.make(folders)
            lab = cluster.lab
            _people(_field(cluster))
        snapshots.keep(lab, f"bench-{contender.name}", made_from)
    snapshots.save(lab, _HERE)
    return _field(Rival(lab))


def digest(contender: Contender) -> str:
    """A name for what the ready state depends on besides the image."""
    code = tree.digest(_MADE_BY, _LAB) + inspect.getsource(_people)
    return hashlib.sha256((contender.digest() + code).encode()).hexdigest()


def _field(cluster: Rival) -> Field:
    client = cluster.client
    busy = LockClient(client, "busy", f"{MOUNT}/{WORK}")
    running = Load(cluster, "round", f"--stop-timeout {_STOP_SECONDS:g}")
    return Field(cluster, running, busy, SecondClient(client, IDLE), SecondClient(client, DOOMED))


def _people(field: Field) -> None:
    """Let the clients in, take the locks of the idle one and the doomed one, and begin the busy one's work."""
    make_directory(field.cluster)
    for machine in (field.cluster.client, *field.cluster.nodes):
        install(machine)
    for client, address in zip((field.idle, field.doomed), ADDRESSES, strict=False):
        client.plug(address)
        client.mount_export()
        client.hold(client.name)
    trace.begin(field.cluster.client)
    field.load.start()
