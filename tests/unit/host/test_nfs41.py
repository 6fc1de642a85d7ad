"""The client speaks NFSv4.1 as a strict server reads it, and says what is wrong with an answer."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from nfsha_config.host import nfs41
from nfsha_config.host.nfs41 import Client, Unwell

from .nfsserver import (
    ACCESS,
    BADSESSION,
    CREATE_SESSION,
    DELAY,
    EXCHANGE_ID,
    SEQUENCE,
    Server,
    serving,
)

HERE = IPv4Address("127.0.0.1")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that answers rightly."""
    with serving(monkeypatch) as started:
        yield started


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client with a session."""
    made = Client(HERE, 5)
    yield made
    made.close()


def test_a_session_is_made_and_used_again_and_again(server: Server, client: Client) -> None:
    assert client.scope == "ocfs2"
    for _ in range(3):
        client.ask()
    assert (server.looks, server.connections) == (3, 1)


def test_a_client_says_who_it_is_and_is_the_same_until_the_next_boot(server: Server, client: Client) -> None:
    client.close()
    Client(HERE, 5).close()
    assert server.owners == [f"nfsha {os.uname().nodename}".encode()] * 2
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    assert server.verifiers == {int(boot[:8], 16).to_bytes(8, "big")}


@pytest.mark.parametrize("name", ["a", "ab", "abc", "abcd"])
def test_a_name_of_any_length(server: Server, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", name, "", "", "")))
    Client(HERE, 5).close()
    assert server.owners == [f"nfsha {name}".encode()] and server.machines == {name.encode()}


def test_a_scope_of_any_length(server: Server) -> None:
    for server.scope in ("", "s", "five5", "eight888"):
        client = Client(HERE, 5)
        assert client.scope == server.scope
        client.close()


def test_a_lost_session(server: Server, client: Client) -> None:
    server.session = b"one after reboot"
    with pytest.raises(Unwell, match=f"^SEQUENCE is answered by error {BADSESSION}$"):
        client.ask()


@pytest.mark.parametrize("error", [ACCESS, DELAY])
def test_a_root_that_can_not_be_looked_at(server: Server, client: Client, error: int) -> None:
    server.after_sequence = error
    with pytest.raises(Unwell, match=f"exported root is answered by error {error}$"):
        client.ask()
    server.after_sequence = 0
    client.ask()
    assert server.looks == 2


@pytest.mark.parametrize("operation", [EXCHANGE_ID, CREATE_SESSION])
def test_a_session_that_is_refused(server: Server, operation: int) -> None:
    server.refuse[operation] = DELAY
    with pytest.raises(Unwell, match=f"operation {operation} of NFSv4.1 is answered by error {DELAY}"):
        Client(HERE, 5)


def test_a_sequence_that_is_refused(server: Server, client: Client) -> None:
    server.refuse[SEQUENCE] = DELAY
    with pytest.raises(Unwell, match=f"SEQUENCE is answered by error {DELAY}"):
        client.ask()


def test_a_server_without_version_4(server: Server) -> None:
    server.accept_stat = 2
    with pytest.raises(Unwell, match="accept_stat 2"):
        Client(HERE, 5)


def changed(at: int, value: int) -> Callable[[bytes], bytes]:
    """A record with another word at this byte."""
    return lambda record: record[:at] + struct.pack("!I", value) + record[at + 4 :]


def cut(size: int) -> Callable[[bytes], bytes]:
    """A whole record that holds this many bytes of the answer."""
    return lambda record: struct.pack("!I", 0x80000000 | size) + record[4 : 4 + size]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (changed(4, 1), "not accepted"),
        (changed(8, 0), "not accepted"),
        (changed(12, 1), "not accepted"),
        (changed(0, 64), "not one record"),
        (changed(0, 0x80010001), "not one record"),
        (cut(0), "cut short"),
        (cut(27), "cut short"),
        (cut(43), "cut short"),
    ],
)
def test_an_answer_that_is_none(server: Server, client: Client, spoil: Callable[[bytes], bytes], why: str) -> None:
    # Else a call of that number would be answered by chance.
    client.xid = 7
    server.spoil = spoil
    with pytest.raises(Unwell, match=why):
        client.ask()


def test_a_server_that_hangs_up(server: Server, client: Client) -> None:
    server.spoil = lambda record: None
    with pytest.raises(ConnectionResetError):
        client.ask()


def test_a_server_that_hangs_up_within_its_answer(server: Server, client: Client) -> None:
    def half(record: bytes) -> bytes:
        server.listener.shutdown(socket.SHUT_RDWR)
        assert server.current is not None
        server.current.sendall(record[:20])
        server.current.shutdown(socket.SHUT_RDWR)
        return b""

    server.spoil = half
    with pytest.raises(ConnectionResetError):
        client.ask()


@pytest.mark.parametrize("said", [0, 4, 20])
def test_a_server_that_falls_silent(server: Server, said: int) -> None:
    client = Client(HERE, 0.3)
    server.spoil = lambda record: record[:said]
    with pytest.raises(TimeoutError):
        client.ask()
    client.close()


def test_a_connection_is_not_left_behind(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    connect = socket.create_connection

    def watched(address: tuple[str, int], timeout: float, source: tuple[str, int]) -> socket.socket:
        made.append(connect(address, timeout, source))
        return made[-1]

    monkeypatch.setattr(socket, "create_connection", watched)
    server.refuse[CREATE_SESSION] = DELAY
    with pytest.raises(Unwell):
        Client(HERE, 5)
    assert [one.fileno() for one in made] == [-1]


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setattr(nfs41, "NFS_PORT", port)
    with pytest.raises(ConnectionRefusedError):
        Client(HERE, 5)
