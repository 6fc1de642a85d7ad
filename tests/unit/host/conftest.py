"""The disks that tests look at, and the target and the time that they have."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.host import claim, fence, guard, nfs41, revival
from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT, Paths

from . import disks
from .looked_at import ARPING, MOUNTS, NFT, Node
from .nfsserver import Server, serving
from .standins import SG_PERSIST, Clock, Peer, program


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that the laboratory's first node has prepared."""
    image = disks.blank(tmp_path_factory.mktemp("ready"))
    site = disks.site()
    disks.partition(image, site)
    disks.make_volume(image, site, 1, str(site.state_uuid))
    disks.make_volume(image, site, 2, str(site.data_uuid))
    return image


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Path]:
    """A blank image; gone after the test, since many would fill a small /tmp."""
    path = disks.blank(tmp_path)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def ready_image(ready: Path, image: Path) -> Path:
    """A prepared image to change."""
    shutil.copy(ready, image)
    return image


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that the modules about fencing read."""
    made = Clock()
    for module in (fence, guard):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A target without a reservation; the folder of its files keys and holder."""
    folder = tmp_path / "target"
    folder.mkdir()
    program(folder, "sg_persist", SG_PERSIST, monkeypatch)
    return folder


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A standby on which all is well, and nobody listens on the server's port."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program(programs, "nft", NFT, monkeypatch)
    program(programs, "systemctl", '[ "$1" != show ] || { cat states; exit; }\necho "$*" >>notes', monkeypatch)
    monkeypatch.setattr(claim, "is_here", lambda address: True)
    peer = Peer()
    monkeypatch.setattr(revival, "Echo", lambda address: peer)
    program(programs, "arping", ARPING, monkeypatch)
    for name in ("table", "states"):
        (programs / name).touch()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        monkeypatch.setattr(nfs41, "NFS_PORT", closed.getsockname()[1])
    made = Node(programs, Paths(tmp_path / "root"), peer)
    made.put("/proc/self/mounts", MOUNTS)
    made.paths.now("").mkdir(parents=True)
    for mount in (STATE_MOUNT, DATA_MOUNT):
        made.paths.at(mount).mkdir(parents=True)
    return made


@pytest.fixture
def server(node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The node's server, which answers rightly."""
    with serving(monkeypatch) as started:
        yield started
        node.health.server.forget()
