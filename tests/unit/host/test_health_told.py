"""To whom the health of a node is told: to keepalived and the report by files, and to systemd."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from nfsha_config.host import health
from nfsha_config.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A node that has said nothing yet."""
    made = Paths(tmp_path / "root")
    made.now("").mkdir(parents=True)
    return made


def test_keepalived_and_the_report_are_told(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    files = [paths.now(name) for name in ("fault", "unfit")]
    health.tell("", paths)
    assert [file.read_text() for file in files] == ["0\n", ""]
    health.tell("in maintenance", paths)
    assert [file.read_text() for file in files] == ["1\n", "in maintenance"]
    health.tell("in maintenance", paths)
    health.tell("", paths)
    assert [file.read_text() for file in files] == ["0\n", ""]
    assert [record.getMessage() for record in caplog.records] == ["fit to serve", "unfit to serve: in maintenance", "fit to serve"]


def test_what_has_not_changed_is_not_written(paths: Paths) -> None:
    health.tell("in maintenance", paths)
    before = [paths.now(name).stat().st_mtime_ns for name in ("fault", "unfit")]
    health.tell("in maintenance", paths)
    assert [paths.now(name).stat().st_mtime_ns for name in ("fault", "unfit")] == before
    health.tell("another reason", paths)
    assert paths.now("fault").stat().st_mtime_ns == before[0]
    assert paths.now("unfit").read_text() == "another reason"


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_that_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    address = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{address}" if abstract else address)
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{address}" if abstract else address)
        health.alive()
        assert set(systemd.recv(100).split(b"\n")) == {b"READY=1", b"WATCHDOG=1"}


def test_without_systemd_nobody_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    health.alive()
