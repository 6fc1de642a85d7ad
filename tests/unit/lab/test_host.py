"""What the laboratory does on its host: folders, processes, the command line of QEMU."""

import subprocess
import sys
from pathlib import Path

import pytest

from nfsha_lab import process, requirements
from nfsha_lab.cable import Network
from nfsha_lab.errors import LabError
from nfsha_lab.folders import Folders, socket_path
from nfsha_lab.image import Image
from nfsha_lab.lab import beside
from nfsha_lab.qemu import Qemu
from nfsha_lab.topology import HOSTS


def test_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NFSHA_LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("NFSHA_LAB_NAME", "x")
    assert Folders.of_environment().run == tmp_path / "run" / "x"
    assert Folders.of_environment("y").run == tmp_path / "run" / "y"


def test_another_laboratory_that_runs_is_named(tmp_path: Path) -> None:
    mine, other, ended = (Folders(tmp_path, name) for name in ("mine", "other", "ended"))
    for folders in (mine, other, ended):
        folders.make()
        Network(folders.run, ("a",)).start()
    Network(ended.run, ("a",)).stop()
    assert beside(mine) == ["other"]
    for folders in (mine, other):
        Network(folders.run, ("a",)).stop()
    assert beside(mine) == []


def test_long_socket_path_is_refused_with_advice() -> None:
    with pytest.raises(LabError, match="NFSHA_LAB_CACHE"):
        socket_path(Path("/" + "x" * 108))


def test_failed_program_is_told_with_its_last_words() -> None:
    with pytest.raises(LabError, match=r"(?s)exit status 3: .*out of cheese"):
        process.run([sys.executable, "-c", "import sys; print('out of cheese'); sys.exit(3)"], timeout=20)
    with pytest.raises(LabError, match="not found on this host"):
        process.run(["/no/such/program"], timeout=1)
    with pytest.raises(LabError, match=r"not finished within 0\.1 s"):
        process.run(["sleep", "9"], timeout=0.1)


def test_daemon_is_known_by_its_command_line_and_ended(tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    program = "import time; print('up', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", program, mark], stdout=subprocess.PIPE)
    assert child.stdout is not None
    # A process has no command line yet while it is being executed.
    child.stdout.readline()
    (tmp_path / "pid").write_text(f"{child.pid}\n")
    assert process.Daemon(tmp_path / "pid", "another").pid is None
    daemon = process.Daemon(tmp_path / "pid", mark)
    assert daemon.pid == child.pid
    daemon.end()
    assert child.wait(5) != 0
    assert daemon.pid is None
    daemon.end()


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "PACKAGES", {"here": "/", "gone": "/no/such/file", "mod": "module:no_such_mod"})
    monkeypatch.setattr(requirements, "USER_PACKAGES", {})
    assert requirements.missing() == ["gone", "mod"]


def test_command_line_of_a_machine(tmp_path: Path) -> None:
    qemu = Qemu(
        host=HOSTS["iscsi"],
        folder=tmp_path / "a,b",
        image=Image(tmp_path / "image", "0"),
        accelerator="tcg",
        port=tmp_path / "port",
        web=tmp_path / "www",
        public_key="AAAA",
    )
    line = qemu.command_line(paused=True)
    assert line[-1] == "-S"
    assert "-S" not in qemu.command_line(paused=False)
    assert any("serial=nfsha-lun" in word for word in line)
    assert any("a,,b/root.qcow2" in word for word in line)
    kernel = line[line.index("-append") + 1]
    assert "lab.address=192.168.50.20/24" in kernel
    assert "clocksource=hpet notsc" in kernel
