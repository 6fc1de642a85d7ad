"""An update is the same package with a higher version, where apt finds it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nfsha_lab import updates
from nfsha_lab.repack import field, repack


@pytest.fixture
def deb(tmp_path: Path) -> Path:
    """A package with an epoch, a field of several lines, and one script."""
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: thing\nVersion: 1:2.6-4\nArchitecture: all\nMaintainer: x <x@example.org>\nDepends: a-thing (= 1),\n thing (= 1:2.6-4)\nDescription: x\n"
    )
    (tree / "DEBIAN" / "postinst").write_text("#!/bin/sh\nset -e\necho old\n")
    (tree / "DEBIAN" / "postinst").chmod(0o755)
    made = tmp_path / "thing_2.6-4_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, made], check=True, capture_output=True)
    return made


def test_a_package_is_made_anew(deb: Path, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    new = repack(deb, folder, more="+x", fields={"Depends": "c"}, scripts={"postinst": "echo new", "prerm": "exit 1"})
    assert [path.name for path in folder.iterdir()] == [new.name] == ["thing_2.6-4+x_all.deb"]
    assert (field(new, "Version"), field(new, "Depends"), field(new, "Description")) == ("1:2.6-4+x", "c", "x")
    subprocess.run(["dpkg-deb", "--control", new, tmp_path / "control"], check=True)
    assert (tmp_path / "control" / "postinst").read_text() == "#!/bin/sh\necho new\nset -e\necho old\n"
    assert (tmp_path / "control" / "prerm").read_text() == "#!/bin/sh\nexit 1\nset -e\n"


def test_updates_are_served_beside_the_repository(deb: Path, tmp_path: Path) -> None:
    class Client:
        """The machine whose archive has the package."""

        def succeed(self, command: str) -> str:
            return f"/srv/{deb.name}\n" if "thing_*" in command else ""

        def copy_out(self, source: str, target: Path) -> None:
            assert source == f"/srv/{deb.name}"
            shutil.copy(deb, target)

    class Lab:
        """Remembers what it serves."""

        served: Path | None = None

        def __getitem__(self, name: str) -> Client:
            assert name == "client"
            return Client()

        def serve(self, folder: Path) -> None:
            self.served = folder

    repository, folder = tmp_path / "repository", tmp_path / "served"
    (repository / "dists").mkdir(parents=True)
    folder.mkdir()
    lab: Any = Lab()
    updates.publish(lab, ["thing"], repository, folder)
    assert lab.served == folder and (folder / "dists").is_dir()
    index = (folder / "updates" / "Packages").read_text()
    # As packages of one source depend on each other.
    assert f"Depends: a-thing (= 1), thing (= 1:2.6-4{updates.MARK})\n" in index
    assert f"Version: 1:2.6-4{updates.MARK}\n" in index and f"Filename: ./thing_2.6-4{updates.MARK}_all.deb\n" in index
