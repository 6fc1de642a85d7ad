"""How a running workload gets on, from the end of its log: cheap enough to be asked every second."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import WorkloadError
from .history import Header, parse_header
from .oplog import boot_id, now

# Holds the last operation of every kind unless one stands still.
_FIRST_LOOK = 32 * 1024


@dataclass(frozen=True)
class Status:
    """Operations so far, and by kind the seconds since the last finished one.

    A kind that several workers share is as old as the worst-off of them; None where one has finished none.
    """

    operations: int
    since: Mapping[str, float | None]

    def within(self, seconds: float, kinds: Iterable[str] = ()) -> bool:
        """Whether all (or the named) kinds finished an operation in the last so many seconds."""
        wanted = [self.since.get(kind) for kind in (tuple(kinds) or self.since)]
        return bool(wanted) and all(age is not None and age <= seconds for age in wanted)

    def __str__(self) -> str:
        ages = {kind: "none yet" if age is None else f"{age:.2f} s" for kind, age in self.since.items()}
        listed = ", ".join(f"{kind} {age}" for kind, age in ages.items())
        return f"operations {self.operations}; since the last one: {listed}"


def read(path: Path) -> Status:
    """The status of the run that writes `path`; WorkloadError if there is none or it is of another boot."""
    try:
        with open(path, "rb") as file:
            header = parse_header(file.readline().decode())
            if header.boot != boot_id():
                raise WorkloadError(f"{path}: of an earlier boot; its run is over")
            body, size = file.tell(), os.fstat(file.fileno()).st_size
            wanted, look, moment = _wanted(header), _FIRST_LOOK, now()
            while True:
                start = max(body, size - look)
                file.seek(start)
                lines = file.read(size - start).splitlines()
                ends, count = _last_ends(lines[1:] if start > body else lines)
                if start == body or wanted <= ends.keys():
                    return _status(ends, count, wanted, moment)
                look *= 4
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror}") from None
    except WorkloadError as error:
        raise WorkloadError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


def _wanted(header: Header) -> set[tuple[str, str]]:
    return {(worker, kind) for worker, kinds in header.workers.items() for kind in kinds}


def _last_ends(lines: Iterable[bytes]) -> tuple[dict[tuple[str, str], float], dict[str, int]]:
    """The last good end by worker and kind, and by worker how many operations it has ended."""
    ends: dict[tuple[str, str], float] = {}
    count: dict[str, int] = {}
    for line in lines:
        # The writer of the last line may be at it; the parser is spared the lines that do not matter.
        if not line.startswith(b'{"ev":"end"') or not line.endswith(b"}"):
            continue
        event = json.loads(line)
        count[event["w"]] = event["n"] + 1
        if event["ok"]:
            ends[event["w"], event["kind"]] = event["t"]
    return ends, count


def _status(
    ends: Mapping[tuple[str, str], float], count: Mapping[str, int], wanted: set[tuple[str, str]], moment: float
) -> Status:
    since: dict[str, float | None] = {}
    for worker, kind in sorted(wanted):
        end = ends.get((worker, kind))
        age = None if end is None else max(0.0, moment - end)
        before = since.get(kind, 0.0)
        since[kind] = None if age is None or before is None else max(age, before)
    return Status(sum(count.values()), since)
