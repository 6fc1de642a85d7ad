"""Writes what the rounds gave: all of them as JSON, the table, the picture."""

from __future__ import annotations

import json
from pathlib import Path

from nfsha_lab.bench.picture import draw
from nfsha_lab.bench.results import Result, Results
from nfsha_lab.bench.run import TITLES
from nfsha_lab.bench.table import markdown
from nfsha_lab.errors import LabError
from nfsha_lab.log import say

_HEAD = """\
# The benchmark's results

Made by `scripts/lab bench --report FOLDER`. Seconds are p50 / maximum of the rounds; `>` says that a stall had not
ended when its round did. All rounds are in [benchmark.json](benchmark.json).

![A crash of the serving node, a round of each contender: when writes, opens and locks went on, and the takeover's steps
](benchmark.svg)

"""
_PICTURED = "crash"


def write(results: Results, folder: Path) -> None:
    """benchmark-table.md, benchmark.json and benchmark.svg in a folder; LabError if no round has been played."""
    found = _latest(results.all())
    if not found:
        raise LabError(f"{results.folder}: no results yet")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmark.json").write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n")
    (folder / "benchmark-table.md").write_text(_HEAD + markdown(found, TITLES))
    shown = [typical for system in TITLES if (typical := _typical(found, system))]
    if shown:
        draw(shown, TITLES, folder / "benchmark.svg")


def _latest(found: list[Result]) -> list[Result]:
    """Of each contender the rounds of the image and the state of it that were played last."""
    last = {one["system"]: one["made_from"] for one in sorted(found, key=lambda one: str(one["began"]))}
    kept = [one for one in found if one["made_from"] == last[one["system"]]]
    if len(kept) < len(found):
        say(f"left out: {len(found) - len(kept)} rounds of other images or states of a contender than its last")
    return kept


def _typical(found: list[Result], system: str) -> Result | None:
    """The round of the middle, by how long writes stood still."""
    rounds = [one for one in found if one["system"] == system and one["event"] == _PICTURED and not one["failed"]]
    rounds.sort(key=lambda one: float(one["stalls"]["write"]))
    return rounds[(len(rounds) - 1) // 2] if rounds else None
