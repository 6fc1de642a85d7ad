"""A lock is asked for in each volume's domain, and nothing is left there."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

import pytest

from nfsha_config.host import nudge
from nfsha_config.host.nudge import Nudge
from nfsha_config.paths import Paths

DOMAINS = ("8EA0", "2FA2")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A machine with dlmfs, and no domain in it."""
    (tmp_path / "dlm").mkdir()
    return Paths(tmp_path)


def answered(asked: Nudge) -> None:
    for thread in asked.asking.values():
        thread.join(10)
        assert not thread.is_alive()


def test_what_an_earlier_run_left_is_taken_away(paths: Paths) -> None:
    paths.dlm("8EA0").mkdir()
    (paths.dlm("8EA0") / "nfsha.1").touch()
    paths.dlm("FFFF").mkdir()
    Nudge(DOMAINS, paths)
    assert [path.name for path in paths.at("/dlm").iterdir()] == ["FFFF"]


def test_a_lock_in_each_volume_each_time_another(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[Path] = []
    opened = os.open

    def note(path: Path, flags: int, mode: int) -> int:
        names.append(path)
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", note)
    asked = Nudge(DOMAINS, paths)
    for _ in range(2):
        asked.ask()
        answered(asked)
    assert sorted(path.parent.name for path in names) == ["2FA2", "2FA2", "8EA0", "8EA0"]
    assert len({path.name for path in names}) == 4 and all(len(path.name) <= 31 for path in names)
    assert list(paths.at("/dlm").iterdir()) == []


def test_nobody_waits_and_nobody_asks_twice(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """As while the node that has to answer is being recovered."""
    recovered, questions = Event(), []
    opened = os.open

    def wait(path: Path, flags: int, mode: int) -> int:
        questions.append(path)
        recovered.wait(10)
        return opened(path, flags, mode)

    monkeypatch.setattr(nudge.os, "open", wait)
    asked = Nudge(DOMAINS, paths)
    asked.ask()
    asked.ask()
    recovered.set()
    answered(asked)
    assert len(questions) == 2


def test_without_dlmfs_nothing_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asked = Nudge(DOMAINS, Paths(tmp_path))
    with caplog.at_level("INFO"):
        asked.ask()
        answered(asked)
    assert len(caplog.messages) == 2 and all("No such file or directory" in said for said in caplog.messages)
