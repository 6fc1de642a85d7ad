"""The verdict for people, as a table, and for programs, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .history import History
from .stalls import Pace, Span, paces, slow, timeline
from .verdict import FIGURES, Verdict

# An operation of a second or more is what a person notices, and what a picture of the run shows one by one.
SLOW = 1.0
_SHOWN = 20
_HEAD = "operation    finished  failed  in doubt     median    longest      stall"


def duration(history: History) -> float:
    """The length of the run in seconds, up to its last sign of life."""
    return (history.last if history.stop is None else history.stop) - history.header.start


def as_json(history: History, verdict: Verdict, bucket: float) -> Mapping[str, Any]:
    """All there is to know; times in seconds since the start, `timeline.start_wall` since the epoch."""
    return {
        "green": verdict.green,
        "run": history.header.run,
        "complete": history.stop is not None,
        "ended": history.reason,
        "duration_s": _round(duration(history)),
        "figures": {name: verdict.figures[name] for name in FIGURES},
        "acknowledged": verdict.acknowledged,
        "in_doubt": verdict.in_doubt,
        "repeated": verdict.repeated,
        "beyond": verdict.beyond,
        "names_undone": verdict.undone,
        "locks": asdict(verdict.lost),
        "errors": verdict.errors,
        "findings": verdict.findings,
        "operations": {pace.kind: _pace(pace) for pace in paces(history)},
        "slow": _slow(history),
        "timeline": _timeline(history, bucket),
    }


def _round(seconds: float) -> float:
    return round(seconds, 4)


def _span(name: str, span: Span) -> dict[str, float]:
    return {f"{name}_s": _round(span.seconds), f"{name}_at_s": _round(span.at)}


def _pace(pace: Pace) -> dict[str, float]:
    counts: dict[str, float] = {"finished": pace.finished, "failed": pace.failed, "in_doubt": pace.in_doubt}
    times = {"median_s": _round(pace.median), **_span("longest", pace.longest), **_span("stall", pace.stall)}
    return counts | times


def _slow(history: History) -> list[dict[str, Any]]:
    zero = history.header.start
    return [
        {
            "worker": one.worker,
            "kind": one.kind,
            "start_s": _round(one.start - zero),
            "end_s": None if one.end is None else _round(one.end - zero),
            "ok": one.ok,
        }
        for one in slow(history, SLOW)
    ]


def _timeline(history: History, bucket: float) -> dict[str, Any]:
    cut = timeline(history, bucket)
    return {"bucket_s": cut.bucket, "start_wall": cut.start_wall, "counts": cut.counts}


def as_text(history: History, verdict: Verdict) -> str:
    """Two tables, what was found, and the verdict in the last line."""
    ended = history.reason or "without a word (the client went down, or the supervisor was killed)"
    lines = [
        f"run {history.header.run}: {duration(history):.1f} s, ended: {ended}",
        f"{verdict.acknowledged} operations acknowledged, {verdict.in_doubt} in doubt, "
        f"{verdict.repeated} answered as repeated, {verdict.beyond} records beyond the acknowledged ones",
        f"{verdict.undone} names acknowledged within the last seconds before an outage, and undone by it",
        "",
        *(f"{verdict.figures[name]:>8}  {label}" for name, label in FIGURES.items()),
        "",
        _HEAD,
        *(_row(pace) for pace in paces(history)),
        "",
        *verdict.findings[:_SHOWN],
    ]
    if len(verdict.findings) > _SHOWN:
        lines.append(f"... and {len(verdict.findings) - _SHOWN} more; --json has them all")
    red = [f"{name} {verdict.figures[name]}" for name in FIGURES if verdict.figures[name]]
    return "\n".join([*lines, "GREEN" if verdict.green else f"RED: {', '.join(red)}"])


def _row(pace: Pace) -> str:
    counts = f"{pace.kind:<12}{pace.finished:>9}{pace.failed:>8}{pace.in_doubt:>10}"
    times = (pace.median, pace.longest.seconds, pace.stall.seconds)
    return counts + "".join(f"{seconds:>9.3f} s" for seconds in times)
