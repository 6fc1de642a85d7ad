"""A volume is tried by a real write; one that hangs hangs nobody else."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.host.trial import NAME, Trial
from nfsha_config.run import start

from .standins import program

DD = shutil.which("dd")


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file while whose existence each write hangs."""
    flag = tmp_path / "hang"
    flag.touch()
    program(tmp_path, "dd", f'while [ -e hang ]; do sleep 0.05; done\nexec {DD} "$@"', monkeypatch)
    yield flag
    flag.unlink(missing_ok=True)


def tried(trial: Trial, now: float) -> str:
    """Have it begin and end at a time; return its error."""
    trial.look(now)
    if trial.process is not None:
        trial.process.wait(10)
    assert trial.look(now) == 0.0 and trial.process is None
    return trial.error


def test_a_folder_that_can_be_written(tmp_path: Path) -> None:
    assert tried(Trial(tmp_path), 100.0) == ""
    assert list(tmp_path.iterdir()) == []


def test_the_next_begins_ten_seconds_after_the_end(tmp_path: Path, hanging: Path) -> None:
    hanging.unlink()
    trial = Trial(tmp_path)
    tried(trial, 100.0)
    hanging.touch()
    assert trial.look(109.9) == 0.0 and trial.process is None
    assert trial.look(110.0) == 0.0 and trial.process is not None
    hanging.unlink()
    assert tried(trial, 111.0) == ""


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.touch()
    trial = Trial(place)
    assert tried(trial, 100.0) == "Not a directory"
    place.unlink()
    place.mkdir()
    assert tried(trial, 112.0) == ""


def test_what_a_client_put_in_its_place_is_neither_followed_nor_overwritten(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    for place in ((tmp_path / NAME).symlink_to, (tmp_path / NAME).hardlink_to):
        place(other)
        assert tried(Trial(tmp_path), 100.0) == ""
        assert other.read_text() == "precious" and list(tmp_path.iterdir()) == [other]


def test_what_clients_bring_about_is_no_fault_of_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAME).mkdir()
    trial = Trial(tmp_path)
    assert [tried(trial, now) for now in (100.0, 112.0)] == ["", ""]
    assert caplog.messages == [f"{tmp_path}: the trial of a write ends with: Is a directory; so would another node"]
    (tmp_path / NAME).rmdir()
    program(tmp_path, "dd", f'{DD} of=/dev/full if=/dev/zero count=1 status=none', monkeypatch)
    assert tried(trial, 124.0) == "" and trial.answer == "No space left on device"
    program(tmp_path, "dd", f'exec {DD} "$@"', monkeypatch)
    assert tried(trial, 136.0) == "" and trial.answer == ""


def test_a_warning_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "dd", f'echo "dd: warning: slow" >&2\nexec {DD} "$@"', monkeypatch)
    assert tried(Trial(tmp_path), 100.0) == ""


def test_one_that_hangs_is_waited_for_and_no_second_one_begun(tmp_path: Path, hanging: Path) -> None:
    trial = Trial(tmp_path)
    assert trial.look(100.0) == 0.0
    first = trial.process
    assert [trial.look(now) for now in (107.0, 200.0)] == [7.0, 100.0]
    assert trial.process is first
    hanging.unlink()
    assert tried(trial, 201.0) == "" and not (tmp_path / NAME).exists()


def test_while_one_runs_its_file_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "volume"
    folder.mkdir()
    program(tmp_path, "rm", f'while [ -s "$2" ] && ! [ -e go ]; do sleep 0.05; done\nexec {shutil.which("rm")} "$@"', monkeypatch)
    trial = Trial(folder)
    trial.look(100.0)
    deadline = time.monotonic() + 10
    while not ((folder / NAME).exists() and (folder / NAME).stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (folder / NAME).read_bytes() == bytes(512) and trial.process is not None
    (tmp_path / "go").touch()
    assert tried(trial, 101.0) == "" and not (folder / NAME).exists()


def test_a_program_that_is_left_to_itself_says_its_errors_in_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    process = start(["sh", "-c", 'echo out; echo "$LC_ALL in $1" >&2; read -r line || exit 3', "sh", tmp_path])
    assert process.wait(10) == 3
    assert process.stderr is not None and process.stdout is None
    with process.stderr:
        assert process.stderr.read() == f"C.UTF-8 in {tmp_path}\n"


def test_it_is_not_waited_for(tmp_path: Path) -> None:
    flag = tmp_path / "go"
    process = start(["sh", "-c", 'until [ -e "$1" ]; do sleep 0.05; done', "sh", flag])
    assert process.poll() is None
    flag.touch()
    assert process.wait(10) == 0
    assert process.stderr is not None
    process.stderr.close()
