"""The results as a table in Markdown. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from nfsha_lab.bench.contender import LOCKED, RECOVERED
from nfsha_lab.bench.events import EVENTS
from nfsha_lab.bench.results import Result
from nfsha_lab.bench.stalls import LANES

_HEAD = (
    "contender",
    "rounds",
    "write stall",
    "open stall",
    "lock stall",
    "all reclaimed",
    "lost writes",
    "lost locks",
    "EIO",
)


def markdown(results: Sequence[Result], titles: dict[str, str]) -> str:
    """A table for each event, a row for each contender: p50 / max in seconds, and sums."""
    parts = []
    for event in EVENTS.values():
        rows = [_row(title, _of(results, system, event.name)) for system, title in titles.items()]
        rows = [row for row in rows if row]
        if rows:
            parts.append(f"### {event.title.capitalize()}\n\n" + _table([_HEAD, *rows]))
            parts += [_after(title, _of(results, system, event.name)) for system, title in titles.items()]
    return "\n\n".join(filter(None, parts)) + "\n"


def _of(results: Iterable[Result], system: str, event: str) -> list[Result]:
    return [one for one in results if one["system"] == system and one["event"] == event]


def _row(title: str, rounds: Sequence[Result]) -> tuple[str, ...]:
    if not rounds:
        return ()
    good = [one for one in rounds if not one["failed"]]
    count = str(len(good)) if len(good) == len(rounds) else f"{len(good)} of {len(rounds)}"
    if not good:
        return (title, count, *[""] * (len(_HEAD) - 2))
    lanes = [_spread(good, partial(_stall, lane)) for lane in LANES]
    reclaimed = _spread([one for one in good if one["reclaims"]], _reclaimed)
    return (title, count, *lanes, reclaimed, _sum(good, "lost_writes"), _locks(good), _sum(good, "eio"))


def _stall(lane: str, one: Result) -> float:
    return float(one["stalls"][lane])


def _reclaimed(one: Result) -> float:
    return float(max(one["reclaims"]))


def _after(title: str, rounds: Sequence[Result]) -> str:
    """How long writes waited after the file systems of the dead node were recovered, "" where nothing was."""
    ended = [one for one in rounds if not one["failed"] and one["recovered"] and _last(one, RECOVERED) is not None]
    recovered, locked = _waits(ended, RECOVERED), _waits(ended, LOCKED)
    if not recovered:
        return ""
    said = f"{title}: all writers went on {_middle_and_most(recovered)} s after the last journal of the dead node "
    said += "was replayed"
    if locked:
        said += f", and {_middle_and_most(locked)} s after the lock was taken, for which one of the two must be"
    return f"{said} ({len(recovered)} rounds)."


def _waits(rounds: Iterable[Result], what: str) -> list[float]:
    """Seconds from each round's last such step to the first write of the last writer that had waited for it."""
    waits = []
    for one in rounds:
        at = _last(one, what)
        if at is not None:
            waits += sorted(end - at for start, end in one["gaps"]["write"] if start < at < end)[-1:]
    return waits


def _last(one: Result, what: str) -> float | None:
    """When such a step was taken last, None where it was not."""
    return max((step["at"] for step in one["steps"] if step["what"] == what), default=None)


def _spread(rounds: Sequence[Result], value: Callable[[Result], float]) -> str:
    """p50 / max; ">" where the longest had not ended when the round did."""
    if not rounds:
        return "never"
    values = [value(one) for one in rounds]
    more = ">" if value is not _reclaimed and any(not one["recovered"] for one in rounds) else ""
    return _middle_and_most(values, more)


def _middle_and_most(values: Sequence[float], more: str = "") -> str:
    return f"{statistics.median(values):.1f} / {more}{max(values):.1f}"


def _sum(rounds: Sequence[Result], figure: str) -> str:
    known = [one[figure] for one in rounds if one[figure] is not None]
    return f"{sum(known)}" + (f" ({len(rounds) - len(known)} not judged)" if len(known) < len(rounds) else "")


def _locks(rounds: Sequence[Result]) -> str:
    idle = sum(one["lost_locks"] is not None and one["idle_kept"] is None for one in rounds)
    return _sum(rounds, "lost_locks") + (f" (the idle client's not judged in {idle})" if idle else "")


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
