"""Each takeover in one line that a person understands, kept on the shared state so that both nodes can tell it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nfsha_config.file import read
from nfsha_config.host import record


@dataclass(frozen=True)
class Takeover:
    """Who took over from whom and when (seconds since the epoch), and how many seconds each step took, in order.

    clients is how many had connections to the server before; grace is None where the grace period went on when the
    entry was made.
    """

    at: float
    node: str
    previous: str
    clients: int
    grace: float | None
    steps: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        again = "serves again" if self.previous == self.node else "began to serve"
        whom = f"took over from {self.previous}" if self.previous not in ("", self.node) else again
        steps = [f"{name} {seconds:.1f} s" for name, seconds in self.steps.items()]
        grace = "grace not over yet" if self.grace is None else f"grace {self.grace:.1f} s"
        clients = "1 client" if self.clients == 1 else f"{self.clients} clients"
        return f"{self.node} {whom}: {', '.join([*steps, grace])}; {clients} called back"

    @property
    def line(self) -> str:
        """With its time, for a list."""
        return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.at))}  {self}"


def append(takeover: Takeover, path: Path) -> None:
    """Add an entry to the end of the file, on the disk when it returns."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(takeover)) + "\n")
        file.flush()
        os.fsync(file.fileno())


def entries(path: Path) -> list[Takeover]:
    """All entries, the oldest first; a line that a crash left in pieces is passed over.

    Of two of the same takeover the later one knows its grace period.
    """
    found: dict[tuple[float, str], Takeover] = {}
    for line in (read(path) or "").splitlines():
        entry = record.parse(Takeover, line)
        if entry is not None:
            found[entry.at, entry.node] = entry
    return list(found.values())
