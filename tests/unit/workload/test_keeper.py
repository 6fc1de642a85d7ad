"""A keeper keeps a lock, says so, uses it when told, and waits for another's."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


@contextmanager
def keeper(path: Path, status: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "nfsha_lab.workload", "keep", "--file", path, "--status", status, *options]
    with subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def said(status: Path, word: str) -> None:
    until = time.monotonic() + 20
    while not (status.exists() and status.read_text() == f"{word}\n"):
        assert time.monotonic() < until, status.read_text() if status.exists() else "nothing said"
        time.sleep(0.01)


def test_it_holds_uses_and_gives_free(tmp_path: Path) -> None:
    file, status = tmp_path / "file", tmp_path / "status"
    with keeper(file, status) as one:
        said(status, "holds 0")
        with file.open("r+b") as mine, pytest.raises(BlockingIOError):
            fcntl.lockf(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        one.send_signal(signal.SIGUSR1)
        said(status, "holds 1")
        assert file.read_text() == "00000001\n"
        one.send_signal(signal.SIGTERM)
        assert one.wait(20) == 0
    said(status, "free")


def test_one_waits_for_another_and_one_that_does_not_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with keeper(file, tmp_path / "first") as first:
        said(tmp_path / "first", "holds 0")
        with keeper(file, tmp_path / "second", "--wait"), keeper(file, tmp_path / "third") as third:
            assert third.wait(20) == 1
            said(tmp_path / "third", "refused")
            said(tmp_path / "second", "waiting")
            first.send_signal(signal.SIGTERM)
            said(tmp_path / "second", "holds 0")


def test_a_file_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    with keeper(tmp_path / "no" / "file", tmp_path / "status") as one:
        assert one.wait(20) == 2
        assert one.stderr and one.stderr.read().decode().splitlines() == [
            f"nfsha-workload: {tmp_path}/no/file: No such file or directory"
        ]
