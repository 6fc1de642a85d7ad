"""One crash of each contender as a picture: what clients did, second by second, and what the servers did meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nfsha_lab.bench.results import Result
from nfsha_lab.errors import LabError

_LANES = {"write": "writes", "open": "opens", "lock": "locks"}
_GOOD, _BAD, _STEP = "#2a7f9e", "#c8402f", "#555555"
_BEFORE = 10.0
_STEP_ROWS = 6
# How many of the small letters fit into the width of a panel.
_CHARACTERS = 165


def draw(rounds: Sequence[Result], titles: dict[str, str], path: Path) -> None:
    """Write an SVG (or what the suffix says) with a panel for each round; LabError without python3-matplotlib."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        matplotlib.rcParams["svg.hashsalt"] = "nfsha"
        from matplotlib import pyplot
    except ImportError:
        raise LabError("no picture without matplotlib: apt-get install python3-matplotlib") from None
    end = max([60.0, *(one["end"] for one in rounds)]) + 5
    figure, panels = pyplot.subplots(len(rounds), 1, sharex=True, squeeze=False, figsize=(11, 2.9 * len(rounds) + 0.6))
    for panel, one in zip(panels[:, 0], rounds, strict=True):
        _panel(panel, one, titles[one["system"]], end)
    panels[-1, 0].set_xlabel("seconds after the server's power was cut")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _panel(panel: Any, one: Result, title: str, end: float) -> None:
    rows = [*_LANES.values(), "idle client", "dead client"]
    height = dict(zip(rows, range(len(rows) - 1, -1, -1), strict=True))
    writes, opens = one["stalls"]["write"], one["stalls"]["open"]
    heading = f"{title}: writes stand still for {writes:.0f} s, opens for {opens:.0f} s"
    panel.set_title(heading, loc="left", fontsize=10, fontweight="bold")
    for lane, row in _LANES.items():
        panel.broken_barh(_bars(one["busy"][lane]), (height[row] - 0.32, 0.64), color=_GOOD, linewidth=0)
        for start, end_of_gap in one["gaps"][lane]:
            panel.plot([start, end_of_gap], [height[row]] * 2, color=_BAD, linewidth=1)
    _idle(panel, one, height["idle client"], end)
    panel.plot([-_BEFORE, 0], [height["dead client"]] * 2, color=_GOOD, linewidth=3)
    panel.plot([0], [height["dead client"]], "x", color=_BAD)
    panel.axvline(0, color=_BAD, linewidth=1)
    _steps(panel, one, len(rows), end)
    panel.set_yticks(list(height.values()), list(height))
    panel.set_ylim(-1.2 - 0.7 * (_STEP_ROWS - 1), len(rows) - 0.4)
    panel.set_xlim(-_BEFORE, end)
    panel.tick_params(axis="both", labelsize=8, length=0)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)


def _bars(stretches: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """(start, length) of what is in the picture; what was a moment is wide enough to be seen."""
    return [(max(start, -_BEFORE), end - max(start, -_BEFORE) + 0.2) for start, end in stretches if end >= -_BEFORE]


def _idle(panel: Any, one: Result, at: float, end: float) -> None:
    """Its lock is there up to the event, in question after it, and kept or lost in the end."""
    kept = one["idle_kept"]
    word = {True: "lock kept", False: "lock lost", None: "no answer"}[kept]
    panel.plot([-_BEFORE, one["end"]], [at, at], color=_GOOD if kept else _BAD, linewidth=3, alpha=0.4)
    panel.text(one["end"], at - 0.15, f" {word}", fontsize=7)
    for moment in one["reclaims"]:
        panel.plot([moment], [at], "|", color=_STEP, markersize=8)


def _steps(panel: Any, one: Result, rows: int, end: float) -> None:
    """Marks with their words below the lanes, each in the first row that has room for it."""
    first = {step["what"]: step["at"] for step in reversed(one["steps"]) if step["at"] > -1}
    taken = [-_BEFORE] * _STEP_ROWS
    for what, at in sorted(first.items(), key=lambda item: float(item[1])):
        words = f" {at:.0f} s: {what}"
        row = next((row for row, until in enumerate(taken) if until <= at), taken.index(min(taken)))
        taken[row] = at + len(words) * (end + _BEFORE) / _CHARACTERS
        low = -1.0 - 0.7 * row
        panel.plot([at, at], [low + 0.3, rows - 0.6], color=_STEP, linewidth=0.5, linestyle=":")
        panel.text(at, low, words, fontsize=7, color=_STEP)
