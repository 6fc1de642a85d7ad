"""The folder of results: one JSON file a round, so that a bench that was interrupted goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfsha_lab.errors import LabError

Result = dict[str, Any]

# What every result says, also that of a round that failed.
_ABOUT = {"system", "event", "round", "made_from", "began", "failed"}


@dataclass(frozen=True)
class Results:
    """`folder` holds SYSTEM-EVENT-ROUND.json, and logs beside it where a round ended without recovery."""

    folder: Path

    def has(self, system: str, event: str, number: int, made_from: str, retry: bool) -> bool:
        """Whether it has been played with image and contender as they are; with `retry` failed ones have not."""
        path = self._path(system, event, number)
        if not path.exists():
            return False
        found = _read(path)
        return found["made_from"] == made_from and not (retry and found["failed"])

    def add(self, result: Result) -> None:
        """Keep a round's result, in place of an older one."""
        path = self._path(result["system"], result["event"], result["round"])
        self.folder.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(result) + "\n")
        new.replace(path)

    def adopt(self, published: Path) -> None:
        """Count the rounds of a report's benchmark.json as played, where there is no result of the same round yet."""
        for result in _read_all(published):
            if not self._path(result["system"], result["event"], result["round"]).exists():
                self.add(result)

    def all(self) -> list[Result]:
        """All rounds played so far."""
        return [_read(path) for path in sorted(self.folder.glob("*-*-*.json"))]

    def logs(self, system: str, event: str, number: int) -> Path:
        """The folder for the logs of a round after which clients did not go on."""
        return self._path(system, event, number).with_suffix(".logs")

    def _path(self, system: str, event: str, number: int) -> Path:
        return self.folder / f"{system}-{event}-{number:02}.json"


def _read(path: Path) -> Result:
    return _result(path, _parsed(path))


def _read_all(path: Path) -> list[Result]:
    found = _parsed(path)
    if not isinstance(found, list):
        raise LabError(f"{path}: is no list of rounds")
    return [_result(path, one) for one in found]


def _parsed(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LabError(f"{path}: cannot be read ({error}); a round whose result is removed is played again") from None


def _result(path: Path, found: object) -> Result:
    if not isinstance(found, dict) or not set(found) >= _ABOUT:
        raise LabError(f"{path}: is no result of a round; remove it")
    return found
