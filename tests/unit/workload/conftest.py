"""The real program, run on a directory of its own, for tests that then break what it left."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nfsha_lab.workload.cli import main

PROGRAM = Path(__file__).resolve().parents[3] / "nfsha_lab" / "workload" / "__main__.py"
PAUSE = "0.004"


@dataclass(frozen=True)
class Load:
    """A directory under load and the log of the run."""

    directory: Path
    log: Path

    def command(self, *words: str) -> list[str]:
        """The program's words for a subcommand with a log or a directory of this run."""
        return [sys.executable, str(PROGRAM), *words]

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Run until told to stop."""
        places = ("--dir", str(self.directory), "--log", str(self.log), "--pause", PAUSE)
        return subprocess.Popen(
            self.command("run", *places, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def say(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a subcommand to its end in a process of its own."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=10, check=False)

    def check(self, *options: str) -> dict[str, Any]:
        """The verdict as JSON; the exit status must agree with it."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = main(["check", "--dir", str(self.directory), "--log", str(self.log), "--json", *options])
        assert code in (0, 1)
        verdict: dict[str, Any] = json.loads(output.getvalue())
        assert verdict["green"] == (code == 0)
        return verdict

    def red(self, *options: str) -> dict[str, int]:
        """The figures that are not 0."""
        return {name: count for name, count in self.check(*options)["figures"].items() if count}

    def events(self) -> list[dict[str, Any]]:
        """The lines of the log so far, without one that is being written."""
        return [json.loads(line) for line in self.log.read_text().splitlines(True) if line.endswith("\n")]

    def pid(self, worker: str) -> int:
        """The process of a worker."""
        started = [one for one in self.events() if one["ev"] == "worker" and one["w"] == worker]
        pid: int = started[0]["pid"]
        return pid

    def wait_for(self, kind: str, count: int = 3, **facts: Any) -> None:
        """Wait until so many operations of a kind have ended, with these facts in their lines."""
        wanted = {"ev": "end", "kind": kind, **facts}
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if self.log.exists():
                ended = [one for one in self.events() if wanted.items() <= one.items()]
                if len(ended) >= count:
                    return
            time.sleep(0.02)
        raise AssertionError(f"no {count} operations {kind} in time")

    def file(self, worker: str) -> Path:
        """The file to which a worker appends."""
        (found,) = self.directory.glob(f"*.{worker}")
        return found

    def rewrite(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the lines of the log."""
        self.log.write_text("".join(json.dumps(change(one)) + "\n" for one in self.events()))


def load_in(folder: Path) -> Load:
    """An empty directory to be loaded."""
    (folder / "dir").mkdir()
    return Load(folder / "dir", folder / "log")


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Tell a run to stop; its exit status and what it complained of."""
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    return process.returncode, errors


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """One run that went well, to be copied by whoever breaks it."""
    load = load_in(tmp_path_factory.mktemp("finished"))
    process = load.start("--seconds", "0.6")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    return load


@pytest.fixture
def good(finished_run: Load, tmp_path: Path) -> Load:
    """A copy of a run that went well."""
    shutil.copytree(finished_run.directory, tmp_path / "dir")
    shutil.copy(finished_run.log, tmp_path / "log")
    return Load(tmp_path / "dir", tmp_path / "log")


@pytest.fixture
def fresh(tmp_path: Path) -> Load:
    """An empty directory, not yet under load."""
    return load_in(tmp_path)


@pytest.fixture
def running(fresh: Load) -> Iterator[subprocess.Popen[str]]:
    """A run on `fresh` that goes on until told to stop."""
    process = fresh.start()
    fresh.wait_for("unlink", 1)
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()
    for event in fresh.events():
        if event["ev"] == "worker" and event["state"] == "started":
            _end(event["pid"])
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()


def _end(pid: int) -> None:
    """End a worker that its supervisor left behind; a number that another process has by now is let be."""
    try:
        if str(PROGRAM).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return
