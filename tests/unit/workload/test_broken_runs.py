"""The check must be able to fail: each way of breaking a real run turns its own figure red, and no other."""

import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

from nfsha_lab.workload.record import RECORD_SIZE

from .conftest import Load, finish


def test_green(good: Load) -> None:
    verdict = good.check()
    assert verdict["green"]
    assert verdict["complete"] and verdict["ended"] == "time"
    assert not any(verdict["figures"].values()) and verdict["findings"] == []
    assert {"write", "heartbeat", "lock", "create", "rename", "link", "unlink"} <= verdict["operations"].keys()
    assert sum(map(sum, verdict["timeline"]["counts"].values())) == verdict["acknowledged"]


def test_truncated_file_loses_acknowledged_records(good: Load) -> None:
    path = good.file("writer-1")
    os.truncate(path, path.stat().st_size - 2 * RECORD_SIZE)
    assert good.red() == {"missing": 2}


def test_emptied_small_file_loses_its_record(good: Load) -> None:
    done = min(good.directory.glob("*.done"))
    os.truncate(done, 0)
    assert good.red() == {"missing": 1}


def test_duplicated_record(good: Load) -> None:
    path = good.file("writer-0")
    content = path.read_bytes()
    path.write_bytes(content + content[-RECORD_SIZE:])
    assert good.red() == {"duplicated": 1}


def test_swapped_records(good: Load) -> None:
    path = good.file("writer-0")
    content = path.read_bytes()
    path.write_bytes(content[RECORD_SIZE : 2 * RECORD_SIZE] + content[:RECORD_SIZE] + content[2 * RECORD_SIZE :])
    assert good.red() == {"out_of_order": 1}


def test_flipped_byte(good: Load) -> None:
    _flip(good.file("writer-2"), 3 * RECORD_SIZE + 50)
    assert good.red() == {"torn": 1}


def test_flipped_newline_spoils_one_record(good: Load) -> None:
    _flip(good.file("writer-2"), 3 * RECORD_SIZE - 1)
    assert good.red() == {"torn": 1}


def test_flipped_byte_in_heartbeats_and_in_a_small_file(good: Load) -> None:
    _flip(good.file("holder"), 10)
    _flip(min(good.directory.glob("*.done")), 10)
    assert good.red() == {"torn": 2}


def test_io_error(good: Load) -> None:
    good.rewrite(_first_failing("write"))
    assert good.red() == {"io_errors": 1}


def test_io_error_under_the_lock_is_a_lost_lock(good: Load) -> None:
    good.rewrite(_first_failing("heartbeat"))
    verdict = good.check()
    assert {name for name, count in verdict["figures"].items() if count} == {"locks_lost"}
    assert verdict["errors"] == {"heartbeat": {"EIO": 1}}


def test_kernel_says_lost(good: Load) -> None:
    start = good.events()[0]["t"]
    kernel = good.log.with_name("kernel")
    lines = (
        f"[{start - 60:12.6f}] NFS: 192.168.50.10: lost 7 locks",
        f"[{start + 60:12.6f}] NFS: 192.168.50.10: lost 2 locks",
    )
    kernel.write_text("\n".join(lines))
    assert good.red("--kernel-log", str(kernel)) == {"locks_lost": 2}


def test_absent_and_left_over_names(good: Load) -> None:
    done = min(good.directory.glob("*.done"))
    done.rename(done.with_suffix(".new"))
    assert good.red() == {"names_absent": 1, "names_left_over": 1}


def test_stolen_lock(fresh: Load) -> None:
    process = fresh.start("--sabotage", "drop-lock")
    fresh.wait_for("probe", 2, acquired=True)
    assert finish(process)[0] == 0
    verdict = fresh.check()
    assert verdict["locks"] == {"by_io": 0, "by_kernel": 0, "by_probe": 1}
    assert {name: count for name, count in verdict["figures"].items() if count} == {"locks_lost": 1}


def test_killed_writer(fresh: Load, running: subprocess.Popen[str]) -> None:
    os.kill(fresh.pid("writer-1"), signal.SIGKILL)
    code, errors = finish(running)
    assert code == 1 and "writer-1: killed by signal 9" in errors
    assert fresh.red() == {"died": 1}


def test_hung_worker_does_not_hang_the_run(fresh: Load) -> None:
    process = fresh.start("--stop-timeout", "1")
    fresh.wait_for("unlink", 1)
    os.kill(fresh.pid("namer"), signal.SIGSTOP)
    code, errors = finish(process)
    assert code == 1 and "namer: hung" in errors
    assert fresh.red() == {"hung": 1}


def test_killed_supervisor_leaves_a_log_that_can_be_judged(fresh: Load, running: subprocess.Popen[str]) -> None:
    refused = fresh.say("check", "--dir", str(fresh.directory), "--log", str(fresh.log))
    assert refused.returncode == 2 and "the run goes on" in refused.stderr
    running.kill()
    running.wait()
    _wait_gone([fresh.pid(f"writer-{number}") for number in range(3)] + [fresh.pid("holder"), fresh.pid("namer")])
    with open(fresh.log, "a") as log:
        log.write('{"ev":"begin","w":"writer-0","n":999')
    verdict = fresh.check()
    assert verdict["green"] and not verdict["complete"]


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def _first_failing(kind: str) -> Any:
    done = False

    def change(event: dict[str, Any]) -> dict[str, Any]:
        nonlocal done
        if not done and event["ev"] == "end" and event["kind"] == kind:
            done = True
            return event | {"ok": False, "errno": "EIO"}
        return event

    return change


def _wait_gone(pids: list[int]) -> None:
    for pid in pids:
        descriptor = _pidfd(pid)
        if descriptor is None:
            continue
        try:
            assert select.select([descriptor], [], [], 5)[0], f"process {pid} goes on without its supervisor"
        finally:
            os.close(descriptor)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
