"""Names, locks, stalls and the reading of the log, on histories made by hand."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from nfsha_lab.workload.evidence import Evidence
from nfsha_lab.workload.history import Header, History, Operation, UnusableLog, parse
from nfsha_lab.workload.locks import LocksLost, judge
from nfsha_lab.workload.names import expect
from nfsha_lab.workload.stalls import paces, slow, timeline
from nfsha_lab.workload.verdict import judge as judge_run

HEADER = Header("0123abcd", "/mnt", "boot", 1, 100.0, 1e9, False, {"writer-0": ("write",), "writer-1": ("write",)})


def operation(kind: str, start: float = 101.0, took: float | None = 0.1, **facts: Any) -> Operation:
    end = None if took is None else start + took
    error = facts.get("error")
    fields = {"worker": "writer-0", "number": 0, "error": None, **facts}
    return Operation(kind=kind, start=start, end=end, ok=end is not None and error is None, **fields)


def history(*operations: Operation, stop: float | None = 110.0) -> History:
    return History(HEADER, operations, {}, stop, "time", 110.0)


def test_repeated_answers_are_settled_by_the_end_state() -> None:
    expected = expect(
        [
            operation("create", name="a", error="EEXIST"),
            operation("rename", name="a", to="b", error="ENOENT"),
        ]
    )
    assert expected.missing({"b"}) == [] and expected.left_over({"b"}) == []
    assert expected.missing(set()) == ["b"] and expected.left_over({"a", "b"}) == ["a"]


def test_repeated_answers_are_no_errors() -> None:
    steps = (operation("create", name="a"), operation("link", name="a", to="b", error="EEXIST"))
    found = judge_run(history(*steps), Evidence({"a": b"", "b": b""}, {}))
    assert found.green and found.repeated == 1
    lost = judge_run(history(*steps), Evidence({"a": b""}, {}))
    assert dict(lost.figures) == {"names_absent": 1}


def test_rename_in_flight_leaves_one_of_two_names() -> None:
    expected = expect([operation("create", name="a"), operation("rename", took=None, name="a", to="b")])
    for found in ({"a"}, {"b"}, {"a", "b"}):
        assert expected.missing(found) == [] and expected.left_over(found) == []
    assert expected.missing(set()) == ["a or b"]


@pytest.mark.parametrize("kind", ["create", "unlink"])
def test_name_in_doubt_may_be_or_not(kind: str) -> None:
    expected = expect([operation(kind, took=None, name="a")])
    for found in (set[str](), {"a"}):
        assert expected.missing(found) == [] and expected.left_over(found) == []


def held(*more: Operation) -> list[Operation]:
    return [operation("hold", 100.0), operation("heartbeat", 101.0), *more]


@pytest.mark.parametrize(
    ("holder", "probes", "lost"),
    [
        (held(operation("release", 105.0)), [], LocksLost(0, 0, 0)),
        (held(operation("release", 105.0)), [operation("probe", 102.0, acquired=True)], LocksLost(0, 0, 1)),
        (held(operation("release", 105.0)), [operation("probe", 104.95, acquired=True)], LocksLost(0, 0, 0)),
        (held(operation("release", 105.0)), [operation("probe", 99.0, acquired=True)], LocksLost(0, 0, 0)),
        (held(), [operation("probe", 102.0, acquired=True)], LocksLost(0, 0, 0)),
        (
            held(operation("heartbeat", 102.0, error="EIO")),
            [operation("probe", 103.0, acquired=True)],
            LocksLost(1, 0, 0),
        ),
        (
            held(operation("heartbeat", 102.0, error="EIO"), operation("lock", 102.5, error="EIO")),
            [],
            LocksLost(1, 0, 0),
        ),
        (
            held(operation("lock", 102.0, error="EIO"), *held(operation("unlock", 103.0, error="EIO"))),
            [],
            LocksLost(2, 0, 0),
        ),
        ([operation("hold", error="EAGAIN")], [], LocksLost(1, 0, 0)),
    ],
)
def test_locks_by_io_and_probe(holder: Sequence[Operation], probes: Sequence[Operation], lost: LocksLost) -> None:
    assert judge(holder, probes, [], 0.0) == lost


def test_kernel_lines_of_any_form_count_once() -> None:
    lines = [
        "[  200.5] NFS: nfs: lost 1 locks",
        "Nov 1 kernel: NFS: nfs: lost 2 locks",
        "[  50.0] NFS: nfs: lost 4 locks",
    ]
    assert judge([], [], lines, 100.0).by_kernel == 3


def test_stall_is_that_of_the_worst_off_worker() -> None:
    busy = [operation("write", 101.0 + step, worker="writer-0") for step in range(8)]
    stuck = [operation("write", 101.0, worker="writer-1"), operation("write", 107.0, worker="writer-1")]
    (pace,) = paces(history(*busy, *stuck))
    assert pace.finished == 10 and pace.stall.seconds == pytest.approx(6.0) and pace.stall.at == pytest.approx(1.1)
    assert pace.longest.seconds == pytest.approx(0.1)


def test_operation_in_flight_counts_up_to_the_stop() -> None:
    run = history(operation("write", 101.0), operation("write", 102.0, took=None))
    (pace,) = paces(run)
    assert pace.in_doubt == 1 and pace.longest.seconds == 8.0 and pace.stall.seconds == pytest.approx(8.9)
    assert [one.start for one in slow(run, 1.0)] == [102.0]


def test_failed_operations_do_not_end_a_stall() -> None:
    failing = [operation("write", 102.0 + step, error="EIO") for step in range(5)]
    (pace,) = paces(history(operation("write", 101.0), *failing, operation("write", 108.0)))
    assert pace.failed == 5 and pace.stall.seconds == pytest.approx(7.0)


def test_what_is_done_once_has_no_gaps() -> None:
    (pace,) = paces(history(operation("hold", 101.0), operation("hold", 108.0)))
    assert pace.stall == pace.longest


def test_failing_until_the_end_is_a_stall() -> None:
    (pace,) = paces(history(operation("write", 101.0), operation("write", 102.0, error="EIO")))
    assert pace.stall.seconds == pytest.approx(8.9)


def test_timeline_counts_finished_operations() -> None:
    steps = (
        operation("write", 100.0),
        operation("write", 100.5),
        operation("write", 103.0),
        operation("write", took=None),
    )
    cut = timeline(replace(history(*steps), stop=104.0), 2.0)
    assert cut.counts == {"write": [2, 1, 0]} and cut.start_wall == 1e9


FIRST = json.dumps(
    {
        "ev": "header",
        "log": "nfsha-workload",
        "version": 1,
        "run": "0123abcd",
        "dir": "/mnt",
        "boot": "b",
        "pid": 1,
    }
    | {"t": 1.0, "wall": 2.0, "idle": False, "workers": {}}
)
BEGIN = '{"ev":"begin","w":"x","n":0,"kind":"write","t":2.0,"seq":1}'


def test_cut_off_last_line_is_a_crash_of_the_client() -> None:
    read = parse([f"{FIRST}\n", f"{BEGIN}\n", '{"ev":"end","w":"x"'])
    assert read.stop is None and read.operations[0].in_doubt


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "empty"),
        (["hello\n"], "line 1: not the header"),
        (["[]\n"], "line 1: not the header"),
        ([FIRST.replace('"version": 1', '"version": 9')], "line 1: log of version 9"),
        ([f"{FIRST}\n", '{"ev":"be\n', f"{BEGIN}\n"], "line 2: not an event"),
        ([f"{FIRST}\n", "\x00\x00\n"], "line 2: not an event"),
        ([f"{FIRST}\n", '{"ev":"end","w":"x","n":4,"t":1}\n'], "line 2: .*an end without a beginning"),
        ([f"{FIRST}\n", '{"ev":"begin","t":1}\n'], "line 2: not an event"),
    ],
)
def test_unusable_logs_name_the_line(lines: list[str], message: str) -> None:
    with pytest.raises(UnusableLog, match=message):
        parse(lines)
