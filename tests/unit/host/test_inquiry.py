"""A server is asked every few seconds; one that does something is not dead, however slow it is."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from nfsha_config.host import inquiry
from nfsha_config.host.inquiry import Inquiry
from nfsha_config.paths import Paths

from .nfsserver import DELAY, Server, serving


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that answers rightly, and silence that is soon known as such."""
    monkeypatch.setattr(inquiry, "_TIMEOUT", 0.2)
    with serving(monkeypatch) as started:
        yield started


@pytest.fixture
def asking(server: Server, tmp_path: Path) -> Iterator[Inquiry]:
    """Questions to it."""
    made = Inquiry(IPv4Address("127.0.0.1"), "ocfs2", Paths(tmp_path))
    yield made
    made.forget()


def calls(asking: Inquiry, number: int) -> None:
    """The server says that it has taken so many calls."""
    place = asking.paths.at("/proc/net/rpc/nfsd")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"rc 0 7 9\nfh 0 0 0 0 0\nth 8 0\nnet 5 0 5 1\nrpc {number} 1 2 3 0\nproc4 2 2 9\n", encoding="ascii")


def silence(server: Server) -> None:
    """From now on nothing is answered."""
    server.spoil = lambda record: b""


def test_a_good_server_is_asked_every_five_seconds_in_one_session(server: Server, asking: Inquiry) -> None:
    assert [asking.look(now) for now in (0.0, 2.0, 4.9, 5.0, 9.9, 10.0)] == [0.0] * 6
    assert (server.looks, server.connections, asking.error) == (3, 1, "")


def test_silence_counts_from_the_first_question_without_an_answer(server: Server, asking: Inquiry) -> None:
    assert asking.look(0.0) == 0.0
    silence(server)
    assert [asking.look(now) for now in (4.0, 5.0, 6.0, 12.0, 14.0)] == [0.0, 0.0, 1.0, 7.0, 9.0]
    assert asking.error == "timed out"


def test_one_good_answer_ends_it(server: Server, asking: Inquiry) -> None:
    server.after_sequence = DELAY
    assert (asking.look(0.0), asking.look(7.0)) == (0.0, 7.0)
    assert f"error {DELAY}" in asking.error
    server.after_sequence = 0
    assert (asking.look(14.0), asking.error) == (0.0, "")
    server.after_sequence = DELAY
    assert (asking.look(20.0), asking.look(21.0)) == (0.0, 1.0)


def test_slow_but_advancing_is_not_dead(server: Server, asking: Inquiry) -> None:
    silence(server)
    for now, number in ((0.0, 100), (6.0, 120), (12.0, 140)):
        calls(asking, number)
        assert asking.look(now) == 0.0
        assert asking.look(now + 3) == 0.0
    assert asking.error == "timed out"
    assert (asking.look(18.0), asking.look(24.0)) == (0.0, 6.0)


def test_wrong_answers_are_wrong_however_busy_the_server_is(server: Server, asking: Inquiry) -> None:
    server.after_sequence = DELAY
    for now, number in ((0.0, 100), (6.0, 120)):
        calls(asking, number)
        assert asking.look(now) == now


def test_a_wrong_scope(server: Server, asking: Inquiry) -> None:
    server.scope = "nfs1"
    assert (asking.look(0.0), asking.look(6.0)) == (0.0, 6.0)
    assert asking.error == "the server scope is nfs1, not ocfs2"
    server.scope = "ocfs2"
    assert asking.look(12.0) == 0.0


def test_after_a_restart_of_the_server_a_new_session_is_made(server: Server, asking: Inquiry) -> None:
    assert asking.look(0.0) == 0.0
    server.session = b"one after reboot"
    assert (asking.look(5.0), asking.look(6.0)) == (0.0, 1.0)
    assert asking.look(10.0) == 0.0
    assert (server.looks, server.connections, asking.error) == (2, 2, "")


def test_what_is_forgotten_does_not_count(server: Server, asking: Inquiry) -> None:
    server.scope = "nfs1"
    assert (asking.look(0.0), asking.look(6.0)) == (0.0, 6.0)
    asking.forget()
    assert (asking.look(7.0), asking.error) == (0.0, "")
    assert (asking.look(12.0), asking.look(13.0)) == (0.0, 1.0)
