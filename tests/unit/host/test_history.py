"""Takeovers are told in a line each, kept, and read back."""

from __future__ import annotations

import os
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
        (Takeover(0, "nfs1", "nfs1", 1, None, {}), "nfs1 began to serve: grace not over yet; 1 client called back"),
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


def test_the_steps_are_taken_from_what_they_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    paths.now("").mkdir(parents=True)
    for name, moment in (("master", 1000.0), ("held", 1003.5)):
        paths.now(name).touch()
        os.utime(paths.now(name), (moment, moment))
    paths.now("previous").write_text("nfs1\n")
    monkeypatch.setattr(clients, "_unit_times", lambda: {"nfsd": 0.25})
    found = clients.takeover(1005.0, 2, paths)
    assert found == Takeover(1005.0, os.uname().nodename, "nfs1", 2, None, {"lock": 3.5, "nfsd": 0.25})


def test_the_times_of_units_are_those_of_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "\n\n".join(
        f"InactiveExitTimestampMonotonic={start}\nActiveEnterTimestampMonotonic={end}"
        for start, end in ((1_000_000, 1_250_000), (2_000_000, 2_000_000), (0, 0))
    )

    class Done:
        stdout = shown + "\n"

    monkeypatch.setattr(clients, "run", lambda *_, **__: Done)
    assert clients._unit_times() == {"nfsdcld": 0.25, "nfsd": 0.0, "gate": 0.0}
