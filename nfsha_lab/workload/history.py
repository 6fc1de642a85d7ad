"""The log, read back: which operations began, which ended and how, and what became of each worker. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import WorkloadError
from .oplog import MAGIC, VERSION


class UnusableLog(WorkloadError):
    """The log cannot be judged: not one of ours, or damaged before its last line."""


@dataclass(frozen=True)
class Header:
    """Which run it was; `start` in seconds of CLOCK_MONOTONIC, `wall` the wall clock at that moment."""

    run: str
    directory: str
    boot: str
    pid: int
    start: float
    wall: float
    idle: bool
    workers: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Operation:
    """One operation; without an end it is in doubt: it may or may not have happened."""

    worker: str
    number: int
    kind: str
    start: float
    end: float | None
    ok: bool
    error: str | None
    seq: int | None = None
    name: str | None = None
    to: str | None = None
    acquired: bool = False

    @property
    def in_doubt(self) -> bool:
        """Whether nobody knows how it ended."""
        return self.end is None


@dataclass(frozen=True)
class History:
    """All of one run; `stop` is None where the log ends without a word, as after a crash of the client."""

    header: Header
    operations: tuple[Operation, ...]
    fates: Mapping[str, str]
    stop: float | None
    reason: str | None
    last: float

    def of(self, worker: str) -> list[Operation]:
        """The operations of one worker in the order it did them."""
        return [operation for operation in self.operations if operation.worker == worker]


@dataclass
class _Reader:
    begun: dict[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    ended: dict[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    fates: dict[str, str] = field(default_factory=dict)
    stop: float | None = None
    reason: str | None = None
    last: float = 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """Note one event; KeyError or ValueError if it is none."""
        self.last = max(self.last, float(event["t"]))
        kind = event["ev"]
        if kind == "begin":
            self.begun[event["w"], event["n"]] = event
        elif kind == "end":
            if (event["w"], event["n"]) not in self.begun:
                raise ValueError("an end without a beginning")
            self.ended[event["w"], event["n"]] = event
        elif kind == "worker":
            self.fates[event["w"]] = event["state"]
        elif kind == "stop":
            self.stop, self.reason = float(event["t"]), event["reason"]
        elif kind != "clock":
            raise ValueError(f"unknown event {kind!r}")

    def operations(self) -> tuple[Operation, ...]:
        return tuple(_operation(begin, self.ended.get(key)) for key, begin in self.begun.items())


def _operation(begin: Mapping[str, Any], end: Mapping[str, Any] | None) -> Operation:
    return Operation(
        worker=begin["w"],
        number=begin["n"],
        kind=begin["kind"],
        start=float(begin["t"]),
        end=None if end is None else float(end["t"]),
        ok=end is not None and bool(end["ok"]),
        error=None if end is None else end.get("errno"),
        seq=begin.get("seq"),
        name=begin.get("name"),
        to=begin.get("to"),
        acquired=end is not None and bool(end.get("acquired")),
    )


def parse_header(line: str) -> Header:
    """The first line; UnusableLog if it is not that of a log of this program and version."""
    try:
        event = json.loads(line)
        if event["log"] != MAGIC:
            raise ValueError("not a log of this program")
        if event["version"] != VERSION:
            raise UnusableLog(f"line 1: log of version {event['version']}; this program reads {VERSION}")
        workers = {name: tuple(kinds) for name, kinds in event["workers"].items()}
        return Header(
            run=event["run"],
            directory=event["dir"],
            boot=event["boot"],
            pid=event["pid"],
            start=float(event["t"]),
            wall=float(event["wall"]),
            idle=event["idle"],
            workers=workers,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnusableLog("line 1: not the header of a workload's log") from None


def parse(lines: Iterable[str]) -> History:
    """The history that lines tell; UnusableLog names the line at fault.

    Only the last line may be incomplete: that is how a client's crash looks.
    """
    source = iter(lines)
    first = next(source, None)
    if first is None:
        raise UnusableLog("empty: nothing was logged")
    header = parse_header(first)
    reader = _Reader(last=header.start)
    faulty, complete = "", False
    for number, line in enumerate(source, start=2):
        if faulty:
            raise UnusableLog(faulty)
        try:
            reader.take(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            faulty = f"line {number}: not an event of a workload ({error})"
            complete = line.endswith("\n")
    if faulty and complete:
        raise UnusableLog(faulty)
    return History(header, reader.operations(), reader.fates, reader.stop, reader.reason, reader.last)
