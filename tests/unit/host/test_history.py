"""Takeovers are told in a line each, kept, and read back."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from nfsha_config.host import clients, history
from nfsha_config.host.history import Takeover
from nfsha_config.paths import Paths

STEPS = {"lock": 3.41, "nfsdcld": 0.1, "nfsd": 0.42, "gate": 0.03}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            Takeover(0, "nfs2", "nfs1", 3, 2.24, STEPS),
            "nfs2 took over from nfs1: lock 3.4 s, nfsdcld 0.1 s, nfsd 0.4 s, gate 0.0 s, grace 2.2 s; 3 clients called back",
        ),
        (Takeover(0, "nfs1", "", 0, 0.0, {}), "nfs1 began to serve: grace 0.0 s; 0 clients called back"),
        (Takeover(0, "nfs1", "nfs1", 1, None, {}), "nfs1 serves again: grace not over yet; 1 client called back"),
    ],
)
def test_a_takeover_in_a_line(entry: Takeover, told: str) -> None:
    assert str(entry) == told
    assert entry.line.endswith(f"  {told}")


def test_entries_are_kept_in_order_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "history"
    assert history.entries(path) == []
    kept = [Takeover(number, "nfs2", "nfs1", 1, 0.5, STEPS) for number in range(3)]
    for entry in kept:
        history.append(entry, path)
    path.write_text(path.read_text() + '{"at": 1, "no')
    assert history.entries(path) == kept


def test_an_entry_of_another_version_is_read(tmp_path: Path) -> None:
    path, entry = tmp_path / "history", Takeover(1.0, "nfs2", "nfs1", 1, 0.5)
    known = asdict(entry)
    path.write_text(json.dumps({**known, "later": 1}) + "\n")
    assert history.entries(path) == [entry]
    del known["steps"]
    path.write_text(json.dumps(known) + "\n")
    assert history.entries(path) == [entry]


def _show(monkeypatch: pytest.MonkeyPatch, *moments: tuple[float, float]) -> None:
    """Let systemctl tell these starts and ends, in seconds, of lock, nfsdcld, nfsd and gate."""
    shown = "\n\n".join(
        f"InactiveExitTimestampMonotonic={start * 1e6:.0f}\nActiveEnterTimestampMonotonic={end * 1e6:.0f}"
        for start, end in moments
    )

    class Done:
        stdout = shown + "\n"

    monkeypatch.setattr(clients, "run", lambda *_, **__: Done)


def test_the_steps_are_the_units_that_started_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    paths.now("").mkdir(parents=True)
    paths.now("previous").write_text("nfs1\n")
    _show(monkeypatch, (1000, 1060.5), (1060.5, 1060.75), (1061, 1061.5), (1062, 1062))
    steps = {"lock": 60.5, "nfsdcld": 0.25, "nfsd": 0.5, "gate": 0.0}
    assert clients.takeover(1005.0, 2, paths) == Takeover(1005.0, os.uname().nodename, "nfs1", 2, None, steps)


def test_a_unit_that_ran_on_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    _show(monkeypatch, (100, 130), (900, 901), (901, 902), (902, 903))
    assert clients._steps() == {"nfsdcld": 1.0, "nfsd": 1.0, "gate": 1.0}
    _show(monkeypatch, (0, 0), (0, 0), (901, 902), (0, 0))
    assert clients._steps() == {"nfsd": 1.0}
