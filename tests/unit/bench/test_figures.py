"""The benchmark's figures come from logs, journals and traces as they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from nfsha_lab.bench import stalls, steps, trace
from nfsha_lab.bench.contender import LOCKED, RECOVERED
from nfsha_lab.bench.report import write
from nfsha_lab.bench.results import Results
from nfsha_lab.bench.run import CONTENDERS, READY_SECONDS, ROUND_SECONDS, TITLES, bench, expected, plan
from nfsha_lab.bench.table import markdown
from nfsha_lab.errors import LabError
from nfsha_lab.workload.history import History, parse
from nfsha_lab.workload.oplog import MAGIC, VERSION


def history(*operations: tuple[str, str, float, float | None, bool], stop: float = 100.0) -> History:
    workers = {"writer-1": ["write"], "writer-2": ["write"], "namer": ["create"], "holder": ["lock"]}
    header = {"ev": "header", "log": MAGIC, "version": VERSION, "run": "00000000", "boot": "b", "t": 0.0, "wall": 1000.0}
    lines: list[dict[str, Any]] = [{**header, "dir": "/d", "pid": 1, "idle": False, "workers": workers}]
    for number, (worker, kind, start, end, ok) in enumerate(operations):
        lines.append({"ev": "begin", "w": worker, "n": number, "kind": kind, "t": start})
        if end is not None:
            lines.append({"ev": "end", "w": worker, "n": number, "kind": kind, "t": end, "ok": ok})
    lines.append({"ev": "stop", "t": stop, "reason": "SIGTERM"})
    return parse(json.dumps(line) for line in lines)


def test_the_worst_off_worker_counts_and_what_was_before_does_not() -> None:
    log = history(
        ("writer-1", "write", 1, 2, True),
        ("writer-1", "write", 2, 9, True),
        ("writer-1", "write", 10, 12, True),
        ("writer-2", "write", 9, 10, True),
        ("writer-2", "write", 10, 31, True),
        ("namer", "write", 1, 90, True),
    )
    found = stalls.stalls(log, "write", since=11.0)
    assert [(one.start, one.end) for one in found] == [(9, 12), (10, 31)]
    assert stalls.longest(found) == 21


def test_what_never_went_on_lasts_to_the_end_even_if_it_failed_at_once() -> None:
    log = history(("holder", "lock", 1, 2, True), ("holder", "lock", 3, 4, False), ("namer", "create", 1, 2, True))
    assert stalls.stalls(log, "lock", 0.0) == [stalls.Stall(2, 100, open=True)]
    assert stalls.stalls(log, "open", 0.0) == []


def test_stretches_of_work_end_where_nothing_ends_well_for_longer_than_a_pause() -> None:
    log = history(
        ("writer-1", "write", 1, 2, True),
        ("writer-2", "write", 2, 3, True),
        ("writer-1", "write", 3, 4.2, True),
        ("writer-1", "write", 5, 5.1, False),
        ("writer-2", "write", 5, 9, True),
    )
    assert stalls.busy(log, "write") == [(2, 4.2), (9, 9)]
    assert stalls.busy(log, "lock") == []


def test_reclaims_that_failed_are_none() -> None:
    text = (
        "# tracer: nop\n"
        " 192.168.50.10-m-1444  [000] .....  1029.123456: nfs4_reclaim_complete: error=0 (OK) dstaddr=192.168.50.10\n"
        " 192.168.50.10-m-1445  [000] .....  1030.5: nfs4_reclaim_complete: error=-10052 (BADSESSION) dstaddr=x\n"
    )
    assert trace.parse(text) == [1029.123456]


def test_known_lines_of_a_journal_are_steps() -> None:
    text = "1000.25 nfs2 kernel: NFSD: starting 90-second grace period (net f0000098)\n1001 nfs2 x: other\n"
    known = {r"starting \d+-second grace": "grace"}
    assert steps.parse(text, known, "nfs2", 990.0) == [steps.Step(10.25, "nfs2", "grace")]


def result(system: str, event: str, number: int, **more: Any) -> dict[str, Any]:
    figures = {"lost_writes": 0, "lost_locks": 1, "eio": 2, "idle_kept": True, "recovered": True, "reclaims": [3.0, 4.0]}
    lanes = {"stalls": {"write": 10.0 * number, "open": 1.0, "lock": 2.0}}
    about = {"system": system, "event": event, "round": number, "made_from": "image x", "began": "2026", "failed": False}
    return {**about, **figures, **lanes, "steps": [], "gaps": {"write": []}, **more}


def test_table_has_a_row_for_each_contender_that_was_measured() -> None:
    rounds = [result("nfsha", "crash", 1), result("nfsha", "crash", 2, recovered=False), result("nfsha", "crash", 3, failed=True)]
    text = markdown(rounds, TITLES)
    assert "### Server crashed" in text
    assert "| nfsha | 2 of 3 | 15.0 / >20.0 | 1.0 / >1.0 | 2.0 / >2.0 | 4.0 / 4.0 | 0 | 2 | 4 |" in text
    assert "Pacemaker" not in text
    assert "replayed" not in text


def test_a_lock_that_was_not_asked_for_is_not_counted_as_kept() -> None:
    judged, not_judged = result("nfsha", "crash", 1), result("nfsha", "crash", 2, idle_kept=None)
    hung = result("nfsha", "crash", 3, idle_kept=None, lost_locks=None, lost_writes=None)
    assert "| 2 (the idle client's not judged in 1) | 4 |" in markdown([judged, not_judged], TITLES)
    assert "| 2 (1 not judged) (the idle client's not judged in 1) | 6 |" in markdown([judged, not_judged, hung], TITLES)


def test_what_clients_wait_for_after_the_recovery() -> None:
    steps = [{"at": at, "machine": "nfs2", "what": what} for at, what in ((5.0, RECOVERED), (6.0, LOCKED), (9.0, RECOVERED), (9.5, "gate"))]
    gaps = {"write": [[-0.5, 11.5], [-0.1, 12.0], [12.5, 20.0]]}
    rounds = [result("nfsha", "crash", 1, steps=steps, gaps=gaps), result("nfsha", "crash", 2)]
    told = markdown(rounds, TITLES)
    assert "nfsha: all writers went on 3.0 / 3.0 s after the last journal" in told
    assert "and 6.0 / 6.0 s after the lock was taken" in told
    steps.pop(1)
    assert "lock was taken" not in markdown(rounds, TITLES)
    rounds[0]["recovered"] = False
    assert "replayed" not in markdown(rounds, TITLES)


def test_rounds_that_were_played_are_not_planned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nfsha_lab.bench.field.digest", lambda contender: "x")
    kept = Results(tmp_path)
    kept.add(result("single", "crash", 1))
    kept.add(result("single", "planned", 1, failed=True))
    kept.add(result("single", "cut", 1, made_from="image older"))
    kept.add(result("single", "killed", 1, made_from="older x"))

    def events(retry: bool) -> list[tuple[int, list[str]]]:
        turns = plan(kept, "image", ["single"], ["planned", "killed", "crash", "cut"], 2, retry)
        return [(turn.number, [event.name for event in turn.events]) for turn in turns]

    second = ["planned", "killed", "crash", "cut"]
    assert events(retry=False) == [(1, ["killed", "cut"]), (2, second)]
    assert events(retry=True) == [(1, ["planned", "killed", "cut"]), (2, second)]
    assert expected(plan(kept, "image", list(CONTENDERS), ["cut"], 1, False), [result("single", "cut", 1, seconds=70)]) == 3 * ROUND_SECONDS + 70 + 4 * READY_SECONDS


def test_rounds_of_an_earlier_state_are_not_reported(tmp_path: Path) -> None:
    kept = Results(tmp_path / "rounds")
    kept.add(result("nfsha", "cut", 1, made_from="image older", began="2025"))
    kept.add(result("nfsha", "planned", 1))
    kept.add(result("single", "cut", 1, made_from="image y"))
    write(kept, tmp_path)
    told = json.loads((tmp_path / "benchmark.json").read_text())
    assert [(one["system"], one["event"]) for one in told] == [("nfsha", "planned"), ("single", "cut")]


def test_published_rounds_count_as_played(tmp_path: Path) -> None:
    played = Results(tmp_path / "one")
    for number in (1, 2):
        played.add(result("nfsha", "cut", number))
    write(played, tmp_path)
    kept = Results(tmp_path / "two")
    kept.add(result("nfsha", "cut", 2, began="2027"))
    kept.adopt(tmp_path / "benchmark.json")
    assert [(one["round"], one["began"]) for one in kept.all()] == [(1, "2026"), (2, "2027")]
    with pytest.raises(LabError, match="is no list of rounds"):
        kept.adopt(tmp_path / "two" / "nfsha-cut-01.json")
    with pytest.raises(LabError, match=r"absent\.json: cannot be read"):
        kept.adopt(tmp_path / "absent.json")


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "nfsha-cut-01.json").write_text("{")
    with pytest.raises(LabError, match=r"nfsha-cut-01\.json: cannot be read"):
        Results(tmp_path).all()
    (tmp_path / "nfsha-cut-01.json").write_text('{"system": "nfsha", "event": "cut", "round": 1, "failed": false}')
    with pytest.raises(LabError, match=r"nfsha-cut-01\.json: is no result of a round"):
        Results(tmp_path).all()


def test_with_nothing_to_play_no_machine_is_switched_off(tmp_path: Path) -> None:
    """What runs in the laboratory then is somebody's."""
    lab = Mock()
    bench(lab, Results(tmp_path), [])
    lab.down.assert_not_called()
