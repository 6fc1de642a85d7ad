"""A recovery waits for the lock manager and for nothing else, and nothing is left in dlmfs."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event

import pytest

from nfsha_config.host import dlm, recovery
from nfsha_config.host.recovery import Recovery
from nfsha_config.paths import Paths

DOMAINS = ("8EA0", "2FA2")
OTHER = 2
# As of Linux 6.1.
STATE = """Domain: {}  Key: 0x72dab538  Protocol: 1.3
Thread Pid: 2182  Node: 1  State: JOINED
Number of Joins: 1  Joining Node: 255
Domain Map: {}
Exit Domain Map: {}
Live Map: 1 2 12
Dead Node: {}
Recovery Pid: 2184  Master: 255  State: INACTIVE
Recovery Map: {}
Recovery Node State:
"""


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A machine with dlmfs, no domain in it, and a lock manager that has both nodes."""
    monkeypatch.setattr(recovery, "_LIMIT", 20.0)
    made = Paths(tmp_path)
    made.at("/dlm").mkdir()
    for domain in DOMAINS:
        say(made, domain, "1 2 ")
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int]]:
    """The locks that were asked for, each with the flags of open(2)."""
    opened, noted = os.open, []

    def note(path: Path, flags: int, mode: int) -> int:
        noted.append((path, flags))
        return opened(path, flags, mode)

    monkeypatch.setattr(dlm.os, "open", note)
    return noted


def say(paths: Paths, domain: str, members: str, leaving: str = "", recovering: str = "") -> None:
    place = paths.dlm_state(domain)
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name("new")
    new.write_text(STATE.format(domain, members, leaving, recovering or 255, recovering))
    new.replace(place)


def held_in(paths: Paths) -> list[Path]:
    return list(paths.at("/dlm").glob("*/S000000000000000000000200000000"))


def held(paths: Paths) -> list[str]:
    return sorted(path.parent.name for path in held_in(paths))


def await_held(lock: Recovery, paths: Paths, *domains: str) -> None:
    holders = {thread.name.split()[-1]: thread for thread in lock.threads if thread.name.startswith("super lock")}
    for domain, thread in holders.items():
        thread.join(0.3 if domain in domains else 10)
    assert held(paths) == sorted(domains) == sorted(domain for domain, thread in holders.items() if thread.is_alive())


def test_held_until_the_other_node_is_recovered_volume_by_volume(paths: Paths) -> None:
    lock = Recovery(DOMAINS, OTHER, paths)
    lock.hasten()
    await_held(lock, paths, *DOMAINS)
    for domain in DOMAINS:
        say(paths, domain, "1 ", recovering="2 ")
    await_held(lock, paths, *DOMAINS)
    say(paths, "2FA2", "1 ")
    await_held(lock, paths, "8EA0")
    # Another node's number has the same digit, and one leaves.
    say(paths, "8EA0", "1 12 ", leaving="2 ")
    await_held(lock, paths)
    lock.leave()
    assert list(paths.at("/dlm").iterdir()) == []


def test_an_unknown_lock_is_asked_for_once_when_the_other_node_is_to_be_recovered(
    paths: Paths, asked: list[tuple[Path, int]]
) -> None:
    lock = Recovery(DOMAINS, OTHER, paths)
    lock.hasten()
    await_held(lock, paths, *DOMAINS)
    asked.clear()
    say(paths, "8EA0", "1 ", recovering="2 ")
    await_held(lock, paths, *DOMAINS)
    assert [path.parent.name for path, _ in asked] == ["8EA0"]
    assert asked[0][0].name not in {path.name for path in held_in(paths)}
    for domain in DOMAINS:
        say(paths, domain, "1 ")
    lock.leave()
    assert len(asked) == 1 and list(paths.at("/dlm").iterdir()) == []


def test_released_where_the_other_node_lives(paths: Paths) -> None:
    lock = Recovery(DOMAINS, OTHER, paths)
    lock.hasten()
    await_held(lock, paths, *DOMAINS)
    lock.release()
    await_held(lock, paths)
    # It may die later.
    lock.hasten()
    await_held(lock, paths, *DOMAINS)
    lock.leave()
    assert list(paths.at("/dlm").iterdir()) == []


def test_held_for_no_longer_than_any_recovery_takes(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_LIMIT", 0.2)
    lock = Recovery(DOMAINS, OTHER, paths)
    lock.hasten()
    await_held(lock, paths)


def test_taken_from_the_file_system_and_let_go_of(paths: Paths, asked: list[tuple[Path, int]]) -> None:
    lock = Recovery(DOMAINS, OTHER, paths)
    lock.loosen()
    # Not at the same time.
    lock.hasten()
    await_held(lock, paths, *DOMAINS)
    lock.leave()
    assert len(asked) == 4 and all(how & os.O_ACCMODE == os.O_RDWR for _, how in asked), "read-only is a shared lock"
    assert list(paths.at("/dlm").iterdir()) == []


def test_nobody_waits_for_a_lock_that_the_dead_node_has(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    recovered, opened = Event(), os.open

    def wait(path: Path, flags: int, mode: int) -> int:
        recovered.wait(10)
        return opened(path, flags, mode)

    monkeypatch.setattr(dlm.os, "open", wait)
    lock = Recovery(DOMAINS, OTHER, paths)
    lock.hasten()
    for domain in DOMAINS:
        say(paths, domain, "1 ")
    recovered.set()
    await_held(lock, paths)


def test_what_an_earlier_run_left_is_taken_away(paths: Paths) -> None:
    paths.dlm("8EA0").mkdir()
    (paths.dlm("8EA0") / "S000000000000000000000200000000").touch()
    paths.dlm("FFFF").mkdir()
    lock = Recovery(DOMAINS, OTHER, paths)
    lock.loosen()
    await_held(lock, paths)
    assert [path.name for path in paths.at("/dlm").iterdir()] == ["FFFF"]


def test_without_dlmfs_nothing_happens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lock = Recovery(DOMAINS, OTHER, Paths(tmp_path))
    with caplog.at_level("INFO"):
        lock.hasten()
        lock.leave()
    assert len(caplog.messages) == 2 and all("No such file or directory" in said for said in caplog.messages)
