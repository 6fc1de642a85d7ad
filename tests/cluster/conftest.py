"""Each story starts from the installed cluster, restored running; what a failed one leaves behind is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.folders import Folders
from nfsha_lab.install import find_or_build
from nfsha_lab.lab import Lab, open_lab
from nfsha_lab.load import Load
from nfsha_lab.log import say
from nfsha_lab.logs import collect, tell
from nfsha_lab.up import again, booted
from tests.reader import Reader

_ARTEFACTS = Path(os.environ.get("NFSHA_TEST_ARTEFACTS", "/tmp/nfsha-test-artefacts"))


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Four machines with nfsha installed by apt from the repository of this checkout."""
    folders = Folders.of_environment(os.environ.get("NFSHA_LAB_NAME", "test"))
    made = open_lab(folders, request.config.getoption("--release"))
    try:
        again(made)
    except Exception:
        _keep(made, "installation")
        made.down()
        raise
    yield made
    made.down()


@pytest.fixture
def cluster(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The installed cluster, whole, as it was when its installation ended."""
    yield again(lab)
    _keep_what_failed(lab, request)


@pytest.fixture
def plain(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The four machines as plain Debian, just booted."""
    booted(lab)
    yield lab
    _keep_what_failed(lab, request)


def _keep_what_failed(lab: Lab, request: pytest.FixtureRequest) -> None:
    if getattr(request.node, "failed", False):
        _keep(lab, request.node.name)


def _keep(lab: Lab, name: str) -> None:
    folder = _ARTEFACTS / name
    say(f"journals and consoles are kept in {folder}")
    collect(lab, folder)
    tell(lab)


@pytest.fixture
def load(cluster: Cluster, request: pytest.FixtureRequest) -> Load:
    """A running workload on the client: writers, a lock holder with an open file, one that creates and renames.

    Where a reader types, it works at leisure: an emulated node that serves at full speed leaves dpkg a fraction of itself.
    """
    running = Load(cluster, "story", *(["--pause 0.5"] if "reader" in request.fixturenames else []))
    running.start()
    return running


@pytest.fixture
def reader(cluster: Cluster, tmp_path: Path) -> Reader:
    """The reader who has installed the cluster as it is."""
    made = Reader(cluster, tmp_path, find_or_build(cluster.lab.folders))
    made.look()
    return made


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let the fixture know that its story failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when in ("setup", "call") and report.failed:
        item.failed = True  # type: ignore[attr-defined]
