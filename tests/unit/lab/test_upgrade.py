"""The archive for an upgrade is made once for a machine's packages, and served beside nfsha's repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nfsha_lab import upgrade
from nfsha_lab.folders import Folders
from nfsha_lab.topology import REPOSITORY_ADDRESS

STATUS = """\
Package: keepalived
Status: install ok installed
Version: 1:2.2.7-1+b2
Conffiles:
 /etc/init.d/keepalived 0123
Description: failover
 Version: of the text

Package: nfsha-node
Status: install ok installed
Version: 0.1.0+site1
"""


def test_an_archive_is_made_for_the_packages_of_debian() -> None:
    key = upgrade.archive_key("trixie", STATUS)
    assert key == upgrade.archive_key("trixie", STATUS.replace("+site1", "+site2").replace("0123", "4567"))
    others = {
        upgrade.archive_key("forky", STATUS),
        upgrade.archive_key("trixie", STATUS.replace("2.2.7-1+b2", "2.2.7-1+b3")),
        upgrade.archive_key("trixie", STATUS.replace("Package: keepalived", "Package: keepalive")),
        upgrade.archive_key("trixie", ""),
    }
    assert len(others | {key}) == 5


def test_a_kept_archive_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(release: str, status: str, pool: Path, place: Path) -> None:
        fetched.append(status)
        pool.mkdir(parents=True)

    monkeypatch.setattr(upgrade, "_fetch", fetch)
    folders = Folders(tmp_path, "x")
    statuses = [f"Package: a\nVersion: {number}\n" for number in range(upgrade._KEPT + 1)]
    made = [upgrade.find_or_fetch(folders, "trixie", status) for status in (statuses[0], *statuses)]
    assert fetched == statuses
    # The oldest one is gone.
    assert [path.exists() for path in made[1:]] == [False] + [True] * upgrade._KEPT
    assert len(list(made[-1].glob("dists/trixie/main/binary-*/Packages"))) == 1


def test_an_archive_is_served_beside_the_repository(tmp_path: Path) -> None:
    class Lab:
        """Remembers what it serves."""

        served: Path | None = None

        def serve(self, folder: Path) -> None:
            self.served = folder

    archive, repository, folder = (tmp_path / name for name in ("archive", "repository", "served"))
    for path in (archive / "pool", repository / "dists", folder):
        path.mkdir(parents=True)
    lab: Any = Lab()
    upgrade.publish(lab, archive, repository, folder)
    assert lab.served == folder and (folder / "debian/pool").is_dir() and (folder / "dists").is_dir()


def test_a_machine_reads_its_own_release_there(tmp_path: Path) -> None:
    class Machine:
        """Remembers what was done to it."""

        def __init__(self) -> None:
            self.done: list[str] = []

        def write_file(self, path: str, content: str) -> None:
            self.done += [path, content]

        def succeed(self, command: str) -> str:
            self.done.append(command)
            return ""

    machine: Any = Machine()
    upgrade.offer(machine, "bookworm")
    assert machine.done == [
        "/etc/apt/sources.list", upgrade.source(f"http://{REPOSITORY_ADDRESS}/debian", "bookworm"),
        "rm /etc/apt/sources.list.d/lab.sources",
    ]  # fmt: skip
