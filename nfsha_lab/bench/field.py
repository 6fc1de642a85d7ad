"""A contender made ready for a round: it serves, three clients know it, and nothing has happened yet."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab import load, snapshots
from nfsha_lab.bench.contender import Contender
from nfsha_lab.bench.packages import PACKAGES
from nfsha_lab.bench.rival import Rival
from nfsha_lab.cluster import MOUNT, WORK
from nfsha_lab.folders import Folders
from nfsha_lab.lab import open_lab
from nfsha_lab.lock_client import LockClient
from nfsha_lab.log import step
from nfsha_lab.second_client import ADDRESSES, SecondClient

IDLE, DOOMED = "idle", "doomed"
_HERE = "ready"
_MADE_BY = ("second_client.py", "workload/keeper.py")


@dataclass(frozen=True)
class Field:
    """The cluster, its busy client, one that holds a lock and does nothing, and one that may die."""

    cluster: Rival
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
    code = b"".join((Path(__file__).parents[1] / name).read_bytes() for name in _MADE_BY)
    people = inspect.getsource(_people)
    return hashlib.sha256((contender.digest() + people).encode() + code).hexdigest()


def _field(cluster: Rival) -> Field:
    client = cluster.client
    busy = LockClient(client, "busy", f"{MOUNT}/{WORK}")
    return Field(cluster, busy, SecondClient(client, IDLE), SecondClient(client, DOOMED))


def _people(field: Field) -> None:
    """Let the clients in, and take the locks of the idle one and the doomed one."""
    load.make_directory(field.cluster)
    for machine in (field.cluster.client, *field.cluster.nodes):
        load.install(machine)
    for client, address in zip((field.idle, field.doomed), ADDRESSES, strict=False):
        client.plug(address)
        client.mount_export()
        client.hold(client.name)
