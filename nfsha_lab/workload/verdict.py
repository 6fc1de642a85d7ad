"""Judges a run: its log against what was found. Pure; each figure must be 0."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import holder, locks, namer, prober
from .evidence import Evidence
from .history import History, Operation
from .locks import LocksLost
from .names import Expectation, expect, is_excused, stale_files
from .outages import outages
from .record import scan
from .records import Audit, audit

FIGURES: Mapping[str, str] = {
    "missing": "acknowledged records that are missing",
    "duplicated": "records that are there more than once",
    "torn": "records that are damaged",
    "out_of_order": "records in the wrong order",
    "io_errors": "operations that failed",
    "locks_lost": "locks lost",
    "names_absent": "names acknowledged and absent",
    "names_left_over": "names acknowledged as gone and present",
    "hung": "workers that did not stop",
    "died": "workers that died",
}
_NONE_LOST = LocksLost(0, 0, 0)
_FAULTS = ("missing", "duplicated", "torn", "out_of_order")


@dataclass
class Verdict:
    """The figures, what else is worth knowing, and each fault in words."""

    figures: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    acknowledged: int = 0
    in_doubt: int = 0
    repeated: int = 0
    beyond: int = 0
    undone: int = 0
    lost: LocksLost = _NONE_LOST
    errors: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def green(self) -> bool:
        """Whether nothing at all went wrong."""
        return not any(self.figures[name] for name in FIGURES)

    def add(self, figure: str, text: str, count: int = 1) -> None:
        """Count a fault and say what it is."""
        self.figures[figure] += count
        self.findings.append(f"{figure}: {text}")


def judge(history: History, evidence: Evidence, kernel: Sequence[str] = (), *, crash: bool = False) -> Verdict:
    """The verdict on one run; `kernel` is the client's kernel log, `crash` says that a server lost its memory in it."""
    verdict = Verdict()
    verdict.acknowledged = sum(one.ok for one in history.operations)
    verdict.in_doubt = sum(one.in_doubt for one in history.operations)
    expected = expect(history.operations, outages(history, crash), stale_files(kernel))
    _judge_errors(history, expected, verdict)
    _judge_locks(history, kernel, verdict)
    _judge_names(expected, evidence, verdict)
    verdict.undone = _undone(history, expected, evidence)
    for worker in history.header.workers:
        _judge_log_file(history, worker, evidence, verdict)
    _judge_small_files(history, evidence, verdict)
    _judge_workers(history, verdict)
    for name, error in evidence.unreadable.items():
        verdict.add("io_errors", f"{name} cannot be read: {error}")
    return verdict


def _judge_errors(history: History, expected: Expectation, verdict: Verdict) -> None:
    for one in history.operations:
        if one.error is None:
            continue
        row = verdict.errors.setdefault(one.kind, {})
        row[one.error] = row.get(one.error, 0) + 1
        if is_excused(one, expected):
            verdict.repeated += 1
        elif not (one.worker == holder.NAME and locks.is_loss(one)):
            verdict.add("io_errors", f"{_title(one)}: {one.error}")


def _judge_locks(history: History, kernel: Iterable[str], verdict: Verdict) -> None:
    start = history.header.start
    lost = locks.judge(history.of(holder.NAME), history.of(prober.NAME), kernel, start)
    verdict.lost = lost
    if lost.total:
        text = f"seen by the holder {lost.by_io}, by the kernel {lost.by_kernel}, by the prober {lost.by_probe}"
        verdict.add("locks_lost", text, lost.total)


def _judge_names(expected: Expectation, evidence: Evidence, verdict: Verdict) -> None:
    for name in expected.missing(evidence.names):
        verdict.add("names_absent", name)
    for name in expected.left_over(evidence.names):
        verdict.add("names_left_over", name)


def _undone(history: History, expected: Expectation, evidence: Evidence) -> int:
    """How many names an outage undid: what would be a fault had the server committed each before it answered."""
    strict = expect(history.operations)
    faults = {*strict.missing(evidence.names), *strict.left_over(evidence.names)}
    return len(faults & expected.unsettled)


def _judge_log_file(history: History, worker: str, evidence: Evidence, verdict: Verdict) -> None:
    """The one file to which a writer or the holder appends; a file that is gone has lost all its records."""
    writes = [one for one in history.of(worker) if one.seq is not None and one.name is None]
    name = f"{history.header.run}.{worker}"
    if not writes or name in evidence.unreadable:
        return
    pieces = scan(evidence.files.get(name, b""), history.header.run, worker)
    _note(name, audit(pieces, _acknowledged(writes), _doubtful(writes)), verdict)


def _judge_small_files(history: History, evidence: Evidence, verdict: Verdict) -> None:
    """The files of one record each, under whatever name they have; absent names are judged as names."""
    run, writes = history.header.run, {one.seq: one for one in history.of(namer.NAME) if one.kind == "write"}
    # A file that was caught between link and unlink has two names, and is to be judged once.
    names = {namer.number(name): name for name in sorted(evidence.files, reverse=True)}
    for seq, name in names.items():
        if seq is None or seq not in writes:
            continue
        pieces = scan(evidence.files[name], run, namer.NAME)
        single = [writes[seq]]
        # A damaged piece at the start of a file is told apart by its place, which is that of record 1.
        shifted = [piece if piece.seq is None else replace(piece, seq=piece.seq - seq + 1) for piece in pieces]
        acknowledged = {1} if _acknowledged(single) else set()
        _note(name, audit(shifted, acknowledged, {1} if _doubtful(single) else set()), verdict)


def _acknowledged(writes: Sequence[Operation]) -> set[int]:
    return {one.seq for one in writes if one.seq is not None and one.ok}


def _doubtful(writes: Sequence[Operation]) -> set[int]:
    return {one.seq for one in writes if one.seq is not None and not one.ok}


def _note(name: str, found: Audit, verdict: Verdict) -> None:
    verdict.beyond += len(found.beyond)
    for figure in _FAULTS:
        numbers: tuple[int, ...] = getattr(found, figure)
        if numbers:
            verdict.add(figure, f"{name}: {_ranges(numbers)}", len(numbers))


def _judge_workers(history: History, verdict: Verdict) -> None:
    for worker, state in history.fates.items():
        if state in ("hung", "died"):
            last = history.of(worker)[-1:]
            during = [_title(one) for one in last if one.in_doubt]
            verdict.add(state, f"{worker}, in {during[0]}" if during else worker)


def _title(one: Operation) -> str:
    what = one.name or (f"record {one.seq}" if one.seq is not None else f"operation {one.number}")
    return f"{one.worker} {one.kind} {what}"


def _ranges(numbers: Sequence[int]) -> str:
    """Numbers as people write them: 3, 7-9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)
