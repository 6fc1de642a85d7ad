"""Which failures of a name operation a takeover explains, and which names it may undo."""

from __future__ import annotations

import pytest

from nfsha_lab.workload.evidence import Evidence
from nfsha_lab.workload.names import expect, is_excused
from nfsha_lab.workload.outages import Outage, outages
from nfsha_lab.workload.verdict import judge

from .test_judgement import history, operation

HANGS = operation("write", 102.0, 5.0, seq=1)
BEFORE, DURING = 101.5, 106.9


@pytest.mark.parametrize(("kind", "error", "excused"), [
    ("link", "ENOENT", True), ("link", "EEXIST", True), ("link", "EIO", False), ("open", "ENOENT", False),
    ("create", "ENOENT", False), ("rename", "ENOENT", True), ("unlink", None, False),
])  # fmt: skip
def test_what_is_excused(kind: str, error: str | None, excused: bool) -> None:
    failed = operation(kind, DURING, error=error, name="a", to="b")
    assert is_excused(failed, expect([failed], outages(history(HANGS, failed), crash=False))) is excused


@pytest.mark.parametrize("start", [101.0, 120.0])
def test_a_link_fails_for_no_reason_without_a_takeover(start: float) -> None:
    failed = operation("link", start, error="ENOENT", name="a", to="b")
    assert not is_excused(failed, expect([failed], outages(history(HANGS, failed), crash=True)))


def test_a_link_that_came_too_early_promises_no_name() -> None:
    assert "b" not in expect([operation("link", error="ENOENT", name="a", to="b")]).present


def test_operations_that_hang_at_once_are_one_outage() -> None:
    steps = (HANGS, operation("write", 103.0, 5.0), operation("write", 109.0, 0.5), operation("write", 112.0, None))
    assert outages(history(*steps), crash=True) == [Outage(102.0, 108.0, True)]
    later = operation("write", 115.0, 3.0)
    assert outages(history(*steps, later), crash=False)[1:] == [Outage(115.0, 118.0, False)]


@pytest.mark.parametrize(("start", "crash", "lost"), [
    (BEFORE, True, False), (BEFORE, False, True), (99.0, True, True), (DURING, True, True),
])  # fmt: skip
def test_a_crash_undoes_the_last_names_and_no_others(start: float, crash: bool, lost: bool) -> None:
    verdict = judge(history(operation("create", start, name="a"), HANGS), Evidence({}, {}), crash=crash)
    assert bool(verdict.figures["names_absent"]) is lost
    assert verdict.undone == (not lost)


def test_what_is_done_to_an_undone_name_may_fail() -> None:
    steps = [operation("create", BEFORE, name="a"), operation("open", DURING, error="ENOENT", name="a")]
    assert judge(history(HANGS, *steps), Evidence({}, {}), crash=True).figures["io_errors"] == 0
    assert judge(history(HANGS, *steps), Evidence({}, {}), crash=False).figures["io_errors"] == 1


@pytest.mark.parametrize(("start", "said", "excused"), [
    (BEFORE, "work/a, error = -116", True), (BEFORE, "work/b, error = -116", False), (BEFORE, "work/a, error = -5", False),
    (99.0, "work/a, error = -116", False),
])  # fmt: skip
def test_who_writes_a_file_that_was_undone_gets_an_error(start: float, said: str, excused: bool) -> None:
    steps = [operation("create", start, name="a"), HANGS, operation("write", DURING, error="EIO", name="a", seq=1)]
    kernel = [f"[  106.902000] NFSv4: state recovery failed for open file {said}"]
    verdict = judge(history(*steps), Evidence({}, {}), kernel, crash=True)
    assert verdict.figures["io_errors"] == (not excused)


def test_a_rename_that_was_undone_leaves_the_old_name() -> None:
    steps = [operation("create", 99.0, name="a"), operation("rename", BEFORE, name="a", to="b"), HANGS]
    assert judge(history(*steps), Evidence({"a": b""}, {}), crash=True).figures["names_absent"] == 0
    assert judge(history(*steps), Evidence({}, {}), crash=True).figures["names_absent"] == 1
