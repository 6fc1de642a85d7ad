"""An update of Debian's packages: the same ones with a higher version, in a repository that the machines' apt reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nfsha_lab import process
from nfsha_lab.archive import FOLDER
from nfsha_lab.lab import Lab
from nfsha_lab.machine import Machine
from nfsha_lab.repack import repack
from nfsha_lab.topology import REPOSITORY_ADDRESS

_SECONDS = 120.0
_SOURCE = "/etc/apt/sources.list.d/updates.list"
MARK = "+nfsha1"
"""What the versions of updated packages end with."""


def publish(lab: Lab, packages: Iterable[str], repository: Path, folder: Path) -> None:
    """Serve updates of these packages, made in folder from the image's archive, beside what a repository has."""
    made = folder / "updates"
    made.mkdir()
    for name in packages:
        repack(_fetch(lab["client"], name, folder), made, more=MARK)
    index = process.run(["dpkg-scanpackages", "--multiversion", "."], _SECONDS, cwd=made)
    (made / "Packages").write_text(index, encoding="utf-8")
    for path in repository.iterdir():
        (folder / path.name).symlink_to(path)
    lab.serve(folder)


def offer(machine: Machine) -> None:
    """Let a machine's apt know of the updates."""
    machine.write_file(_SOURCE, f"deb [trusted=yes] http://{REPOSITORY_ADDRESS}/updates ./\n")
    machine.succeed("apt-get update --quiet", 300)


def _fetch(machine: Machine, name: str, folder: Path) -> Path:
    place = machine.succeed(f"find {FOLDER} -name '{name}_*.deb'").split()[0]
    archive = folder / f"{name}.deb"
    machine.copy_out(place, archive)
    return archive
