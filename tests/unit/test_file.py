"""Files are written whole or not at all, and what was not ours stays byte by byte."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path
from unittest.mock import Mock

import pytest

from nfsha_config.file import read, remove, write


def test_new_file_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    assert write(path, "text\n", 0o600)
    assert (path.read_text(), path.stat().st_mode & 0o7777) == ("text\n", 0o600)
    assert os.listdir(path.parent) == ["file"]


def test_same_text_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, "text\n")
    inode = path.stat().st_ino
    assert not write(path, "text\n")
    assert path.stat().st_ino == inode


@pytest.mark.parametrize(("text", "mode"), [("other\n", 0o644), ("text\n", 0o600), ("text\r\n", 0o644), ("text", 0o644)])
def test_other_text_or_mode_is_a_change(text: str, mode: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, "text\n")
    assert write(path, text, mode)
    assert (read(path), path.stat().st_mode & 0o7777) == (text, mode)


def test_a_process_that_goes_while_it_is_read_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (errno.ENOENT, errno.ESRCH, errno.ENODEV):
        monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=OSError(number, "gone")))
        assert read(Path("/proc/1/stat")) is None
    monkeypatch.setattr(Path, "read_bytes", Mock(side_effect=OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        read(Path("/proc/1/stat"))


def test_a_secret_is_never_readable_by_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write(path, "old\n", 0o644)
    modes = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: modes.append(os.fstat(descriptor).st_mode & 0o7777))
    write(path, "secret\n", 0o600)
    assert modes == [0o600]


def test_what_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    write(path, "old\n")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, "new\n")
    assert os.listdir(tmp_path) == ["file"]
    assert path.read_text() == "old\n"


def test_what_a_killed_program_left_goes_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "file"
    child = os.fork()
    if child == 0:
        os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        write(path, "secret\n", 0o600)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.stat().st_mode & 0o7777 == 0o600
    assert write(path, "new\n")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("data", [b"# caf\xe9\n", b"a\r\nb\r", b"\xff\xfe", b"", "ünï\n".encode()])
def test_any_bytes_come_back(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    text = read(path)
    assert text is not None
    assert not write(path, text)
    write(path, text + "x")
    assert path.read_bytes() == data + b"x"


def test_no_file_is_no_text(tmp_path: Path) -> None:
    assert read(tmp_path / "file") is None


def test_remove_takes_the_folder_of_a_drop_in_along(tmp_path: Path) -> None:
    folder = tmp_path / "system" / "x.device.d"
    write(folder / "nfsha.conf", "")
    assert remove(folder / "nfsha.conf")
    assert not remove(folder / "nfsha.conf")
    assert os.listdir(tmp_path / "system") == []


def test_remove_leaves_the_folder_with_the_file_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "system" / "x.device.d"
    write(folder / "nfsha.conf", "")
    write(folder / "admin.conf", "")
    remove(folder / "nfsha.conf")
    assert os.listdir(folder) == ["admin.conf"]


@pytest.mark.parametrize("folder", ["exports.d", "nfs.conf.d", "tgt/conf.d"])
def test_remove_leaves_the_folders_of_packages(folder: str, tmp_path: Path) -> None:
    write(tmp_path / folder / "nfsha.conf", "")
    remove(tmp_path / folder / "nfsha.conf")
    assert (tmp_path / folder).is_dir()
