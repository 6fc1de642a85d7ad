"""Each opening of the gate is told once, as what it was, however it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from nfsha_config.host import clients, connections, history
from nfsha_config.host.connections import Connection
from nfsha_config.host.history import Takeover
from nfsha_config.paths import Paths

from .disks import site

HERE = os.uname().nodename
GRACE = "/proc/fs/nfsd/v4_end_grace"


class Stopped(Exception):
    """The end of a story."""


class Node:
    """A node whose clock goes on by its looks; `story` says what happens at a look."""

    def __init__(self, paths: Paths) -> None:
        self.paths, self.story, self.now = paths, iter(()), 0.0
        for place in (paths.now(""), paths.shared(""), paths.at(GRACE).parent):
            place.mkdir(parents=True)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if next(self.story, None) is None:
            raise Stopped

    def take_lock(self, previous: str) -> None:
        self.paths.now("previous").write_text(previous)
        self._make("held")

    def open(self) -> None:
        self.paths.at(GRACE).write_text("N\n")
        self._make("open")

    def close(self) -> None:
        self.paths.now("open").unlink()

    def let_go(self) -> None:
        self.paths.now("held").unlink()

    def _make(self, name: str) -> None:
        self.paths.now(name).touch()
        # Each at a time of its own, however coarse the file system's clock is.
        self.made = getattr(self, "made", time.time()) + 1
        os.utime(self.paths.now(name), (self.made, self.made))

    def tell(self, story: Iterator[object]) -> list[Takeover]:
        self.story = story
        with pytest.raises(Stopped):
            clients.main(self.paths)
        return history.entries(self.paths.shared("history"))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(Paths(tmp_path))
    monkeypatch.setattr(clients.load, "load_file", lambda _: site())
    monkeypatch.setattr(clients.time, "sleep", made.sleep)
    monkeypatch.setattr(clients.time, "monotonic", lambda: made.now)
    times = {"InactiveExit": {"lock": (5.0, 6.0), "nfsd": (6.0, 6.5)}, "ActiveExit": {"lock": (9.2, 9.3), "nfsd": (8.0, 9.0)}}
    monkeypatch.setattr(clients, "_times", lambda began, ended: times[began])
    monkeypatch.setattr(clients, "tickle", lambda *_: None)
    monkeypatch.setattr(clients.connections, "established", lambda *_: [])
    return made


def _pause(seconds: float) -> Iterator[bool]:
    for _ in range(int(seconds * 10)):
        yield True


def test_a_takeover_whose_grace_period_ends(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    def story() -> Iterator[bool]:
        node.take_lock("other")
        node.open()
        yield from _pause(10)
        assert caplog.messages == ["lock: 1.0 s", "nfsd: 0.5 s"]
        node.paths.at(GRACE).write_text("Y\n")
        yield from _pause(10)

    [entry] = node.tell(story())
    assert (entry.node, entry.previous, entry.steps) == (HERE, "other", {"lock": 1.0, "nfsd": 0.5})
    assert entry.grace is not None


def test_each_client_that_is_not_back_is_called_again_and_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [Connection(IPv4Address(f"192.168.50.{host}"), 700 + host) for host in (101, 102)]
    connections.save(known, node.paths.shared("connections"))
    called: list[tuple[float, set[Connection]]] = []
    monkeypatch.setattr(clients, "tickle", lambda _, those: called.append((node.now, set(those))))

    def story() -> Iterator[bool]:
        node.take_lock("other")
        node.open()
        yield from _pause(1.5)
        monkeypatch.setattr(clients.connections, "established", lambda *_: known[:1])
        yield from _pause(5)

    node.tell(story())
    assert [those for _, those in called] == [set(known), set(known), {known[1]}, {known[1]}]
    begun = called[0][0]
    assert [round(at - begun) for at, _ in called] == [0, 1, 2, 5]


def test_a_takeover_that_ends_before_its_grace_period(node: Node) -> None:
    def story() -> Iterator[bool]:
        for previous in ("other", "third"):
            node.take_lock(previous)
            node.open()
            yield from _pause(2)
            node.close()
            yield from _pause(2)

    assert [(entry.previous, entry.grace) for entry in node.tell(story())] == [("other", None), ("third", None)]


def test_what_letting_go_took_is_told(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    def story() -> Iterator[bool]:
        node.take_lock("other")
        node.open()
        yield from _pause(1)
        node.close()
        yield from _pause(1)
        before = len(caplog.messages)
        node.let_go()
        yield from _pause(1)
        assert caplog.messages[before:] == ["end of nfsd: 1.0 s", "end of lock: 0.1 s"]

    node.tell(story())


def test_a_node_that_dies_in_the_grace_period_leaves_its_takeover(node: Node) -> None:
    def story() -> Iterator[bool]:
        node.take_lock("other")
        node.open()
        yield from _pause(6)

    assert [(entry.previous, entry.grace) for entry in node.tell(story())] == [("other", None)]


def test_a_server_that_was_started_again_took_over_from_nobody(node: Node) -> None:
    def story() -> Iterator[bool]:
        node.take_lock("other")
        for _ in range(2):
            node.open()
            yield from _pause(2)
            node.close()
            yield True

    first, second = node.tell(story())
    assert (first.previous, second.previous) == ("other", HERE)
    assert second.steps == {"nfsd": 0.5}
    assert f"{HERE} serves again" in str(second)


def test_a_program_that_starts_while_the_node_serves_tells_only_what_comes(node: Node) -> None:
    def story() -> Iterator[bool]:
        yield from _pause(20)
        node.close()
        yield True
        node.open()
        yield from _pause(1)
        node.close()
        yield True

    node.take_lock("other")
    node.open()
    node.paths.at(GRACE).write_text("Y\n")
    [entry] = node.tell(story())
    assert entry.previous == HERE
