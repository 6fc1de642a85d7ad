"""An update of Debian's packages: the same ones with a higher version, in a repository that the machines' apt reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nfsha_lab import process
from nfsha_lab.archive import FOLDER
from nfsha_lab.lab import Lab
from nfsha_lab.machine import Machine
from nfsha_lab.repack import field, repack
from nfsha_lab.topology import REPOSITORY_ADDRESS

_SECONDS = 120.0
_SOURCE = "/etc/apt/sources.list.d/updates.list"
MARK = "+nfsha1"
"""What the versions of updated packages end with."""


def publish(lab: Lab, packages: Iterable[str], repository: Path, folder: Path) -> None:
    """Serve updates of these packages, made in folder from the image's archive, beside what a repository has."""
    made = folder / "updates"
    made.mkdir()
    found = {name: _fetch(lab["client"], name, folder) for name in packages}
    for deb in found.values():
        repack(deb, made, more=MARK, fields=_needs(deb, found))
    index = process.run(["dpkg-scanpackages", "--multiversion", "."], _SECONDS, cwd=made)
    (made / "Packages").write_text(index, encoding="utf-8")
    serve_beside(lab, repository, folder)


def serve_beside(lab: Lab, repository: Path, folder: Path) -> None:
    """Serve what a folder has and, by links in it, what a repository has."""
    for path in repository.iterdir():
        (folder / path.name).symlink_to(path)
    lab.serve(folder)


def offer(machine: Machine) -> None:
    """Let a machine's apt know of the updates."""
    machine.write_file(_SOURCE, f"deb [trusted=yes] http://{REPOSITORY_ADDRESS}/updates ./\n")
    machine.succeed("apt-get update --quiet", 300)


def _needs(deb: Path, updated: Iterable[str]) -> dict[str, str]:
    """What it depends on: of an updated package whose very version it wants, the update's."""
    old = " ".join(field(deb, "Depends").split())
    names = "|".join(map(re.escape, updated))
    new = re.sub(rf"(?<![\w.+-])({names}) \(= ([^)]+)\)", rf"\1 (= \2{MARK})", old)
    return {"Depends": new} if new != old else {}


def _fetch(machine: Machine, name: str, folder: Path) -> Path:
    place = machine.succeed(f"find {FOLDER} -name '{name}_*.deb'").split()[0]
    archive = folder / f"{name}.deb"
    machine.copy_out(place, archive)
    return archive
