"""The commands as a person or a story uses them: answers, exit statuses and messages without a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from nfsha_lab.workload.bundle import bundle

from .conftest import Load, finish


def test_status_of_a_running_load(fresh: Load, running: subprocess.Popen[str]) -> None:
    done = fresh.say("status", "--log", str(fresh.log), "--within", "4")
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    assert done.stdout.startswith("operations ") and "write 0." in done.stdout


def test_status_of_one_that_stands_still(good: Load) -> None:
    assert good.say("status", "--log", str(good.log)).returncode == 0
    assert good.say("status", "--log", str(good.log), "--within", "0.0001", "--kind", "write").returncode == 1
    assert good.say("status", "--log", str(good.log), "--within", "100", "--kind", "sing").returncode == 1


def test_status_finds_a_worker_far_back_in_the_log(good: Load) -> None:
    stuck = [line for line in good.log.read_text().splitlines(True) if '"writer-0"' not in line or "write" not in line]
    first = good.log.read_text().splitlines(True)
    begun = [line for line in first if '"ev":"end","w":"writer-0"' in line][:2]
    rest = [line for line in stuck if '"ev":"end"' in line] * 4
    good.log.write_text("".join([first[0], *begun, *rest]))
    assert "none yet" not in good.say("status", "--log", str(good.log)).stdout


def test_probe_from_outside(fresh: Load, running: subprocess.Popen[str]) -> None:
    where = ("probe", "--dir", str(fresh.directory))
    assert fresh.say(*where).stdout.startswith("held")
    waiting = fresh.say(*where, "--wait", "--timeout", "0.1")
    assert waiting.returncode == 1 and "did not get the lock" in waiting.stdout
    waiter = subprocess.Popen(fresh.command(*where, "--wait", "--timeout", "8"), stdout=subprocess.PIPE, text=True)
    assert finish(running)[0] == 0
    assert waiter.communicate(timeout=9)[0].startswith("got the lock") and waiter.returncode == 0
    free = fresh.say(*where)
    assert free.returncode == 1 and free.stdout.startswith("free")


def test_idle_holder_uses_its_lock_at_the_end(fresh: Load) -> None:
    process = fresh.start("--idle")
    fresh.wait_for("hold", 1)
    assert finish(process)[0] == 0
    verdict = fresh.check()
    assert verdict["green"] and verdict["operations"]["heartbeat"]["finished"] == 1


def test_zipapp_runs_alone(good: Load, tmp_path: Path) -> None:
    program = bundle(tmp_path / "workload.pyz")
    words = [
        sys.executable,
        "-I",
        str(program),
        "check",
        "--dir",
        str(good.directory),
        "--log",
        str(good.log),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False, cwd="/")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "GREEN", done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run --dir {tmp}/none --log {tmp}/log", "cannot create"),
        ("run --dir {tmp} --log {tmp}/log", "must be on a local disk"),
        ("run --dir {tmp}/dir --log {tmp}/none/log", "cannot be made"),
        ("run --dir {tmp}/dir --log {tmp}/dir.pyz", "exists already"),
        ("run --dir {tmp}/dir --log {tmp}/log --pause -1", "above 0"),
        ("status --log {tmp}/none", "No such file"),
        ("check --dir {tmp}/dir --log {tmp}/dir.pyz", "line 1: not the header"),
        ("probe --dir {tmp}/dir", "not exactly one run"),
        ("probe --dir {tmp}/none", "could not be tried"),
    ],
)
def test_user_errors_are_one_message(fresh: Load, tmp_path: Path, words: str, message: str) -> None:
    (tmp_path / "dir.pyz").write_bytes(b"\xff\xfe")
    done = fresh.say(*words.format(tmp=tmp_path).split())
    assert done.returncode in (1, 2)
    assert message in done.stderr and "Traceback" not in done.stderr
