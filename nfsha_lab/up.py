"""The installed cluster: from the cache in seconds, or made from nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

from nfsha_lab import snapshots
from nfsha_lab.cluster import Cluster
from nfsha_lab.errors import LabError
from nfsha_lab.folders import Folders
from nfsha_lab.install import find_or_build, install, source_key
from nfsha_lab.lab import RELEASE, Lab, attach, open_lab

_BOOTED, _INSTALLED = "booted", "installed"


def installed(folders: Folders, release: str = RELEASE, more: tuple[str, ...] = ()) -> Cluster:
    """A whole cluster, freshly installed from this checkout's packages; what ran in this laboratory before is gone."""
    return again(open_lab(folders, release, more))


def running(folders: Folders) -> Cluster | None:
    """The cluster that runs in this laboratory, None where none does."""
    try:
        cluster = Cluster(attach(folders))
    except LabError:
        return None
    return cluster if all(machine.state == "on" for machine in cluster.lab.all) else None


def again(lab: Lab) -> Cluster:
    """The same laboratory as it was when its installation ended."""
    made_from = digest()
    if snapshots.recall(lab, _INSTALLED, made_from):
        return Cluster(lab)
    repository = find_or_build(lab.folders)
    booted(lab)
    cluster = install(lab, repository)
    cluster.assert_healthy()
    snapshots.keep(lab, _INSTALLED, made_from)
    return cluster


def booted(lab: Lab) -> None:
    """Four plain Debian machines, just booted."""
    if not snapshots.recall(lab, _BOOTED):
        lab.fresh()
        lab.boot()
        snapshots.keep(lab, _BOOTED)


def digest() -> str:
    """What an installed cluster depends on besides the image: the packages, and how they are installed."""
    how = Path(__file__).with_name("install.py").read_bytes()
    return hashlib.sha256(source_key().encode() + how).hexdigest()
