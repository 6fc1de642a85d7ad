"""A client whose name could not be resolved is exported to when it can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.host.unresolved import Unresolved
from nfsha_config.paths import Paths

from .standins import program

EXPORTFS = """
echo "$*" >>asked
[ -e known ] || echo 'exportfs: Failed to resolve late' >&2
"""


def look(names: Unresolved, *times: float) -> None:
    for now in times:
        names.look(now)
        if names.process is not None:
            names.process.wait(10)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program(tmp_path, "exportfs", EXPORTFS, monkeypatch)
    (tmp_path / "asked").touch()
    return tmp_path


@pytest.fixture
def names(folder: Path) -> Unresolved:
    paths = Paths(folder / "root")
    paths.now("").mkdir(parents=True)
    paths.now("unresolved").touch()
    return Unresolved(paths)


def test_it_is_tried_every_half_minute_until_all_are_known(folder: Path, names: Unresolved) -> None:
    look(names, 0.0, 2.0, 31.0, 32.0, 34.0)
    assert (folder / "asked").read_text() == "-a\n" * 2 and names.mark.exists()
    (folder / "known").touch()
    look(names, 64.0, 66.0, 100.0, 200.0)
    assert (folder / "asked").read_text() == "-a\n" * 3 and not names.mark.exists()


def test_nothing_is_tried_where_all_were_known(folder: Path, names: Unresolved) -> None:
    names.mark.unlink()
    look(names, 0.0, 100.0)
    assert (folder / "asked").read_text() == ""
