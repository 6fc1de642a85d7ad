"""A server of NFSv4.1 that knows three COMPOUNDs, and takes each apart by RFC 5531 and RFC 8881 without leftovers."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from nfsha_config.host import nfs41

CLIENT_ID, FIRST, SESSION = b"clientid", 17, b"a session's name"
EXCHANGE_ID, CREATE_SESSION, SEQUENCE, PUTROOTFH, GETATTR = 42, 43, 53, 24, 9
BADSESSION, DELAY, ACCESS, SEQ_MISORDERED = 10052, 10008, 13, 10063


def words(*numbers: int) -> bytes:
    """Numbers in XDR."""
    return struct.pack(f"!{len(numbers)}I", *numbers)


def opaque(data: bytes) -> bytes:
    """Bytes of any length in XDR."""
    return words(len(data)) + data + bytes(-len(data) % 4)


class Reader:
    """XDR, taken apart from its beginning."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        assert len(self.data) >= size, "the call is cut short"
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def word(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def opaque(self) -> bytes:
        size = self.word()
        padded = self.take(-(-size // 4) * 4)
        assert not any(padded[size:]), "padding is not zero"
        return padded[:size]

    def expect(self, *numbers: int) -> None:
        assert tuple(self.word() for _ in numbers) == numbers


class Server:
    """Answers rightly, but for what a test sets: statuses, and what becomes of a record (None: the connection's end)."""

    def __init__(self) -> None:
        self.scope = "ocfs2"
        self.session = SESSION
        self.refuse: dict[int, int] = {}
        self.after_sequence = 0
        self.accept_stat = 0
        self.spoil: Callable[[bytes], bytes | None] = lambda record: record
        self.machines: set[bytes] = set()
        self.owners: list[bytes] = []
        self.verifiers: set[bytes] = set()
        self.looks = 0
        self.connections = 0
        self.sequence = 0
        self.errors: list[BaseException] = []
        self.stopping = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.current: socket.socket | None = None
        self.thread = threading.Thread(target=self._run)

    def stop(self) -> None:
        self.stopping = True
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        if self.current is not None:
            with contextlib.suppress(OSError):
                self.current.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def _run(self) -> None:
        while not self.stopping:
            try:
                self.current, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with self.current, contextlib.suppress(OSError):
                try:
                    self._serve(self.current)
                except AssertionError as error:
                    self.errors.append(error)

    def _serve(self, peer: socket.socket) -> None:
        stream = peer.makefile("rb")
        while mark := stream.read(4):
            (size,) = struct.unpack("!I", mark)
            assert size & 0x80000000, "the call is not one record"
            answer = self._answer(Reader(stream.read(size & 0x7FFFFFFF)))
            record = self.spoil(words(0x80000000 | len(answer)) + answer)
            if record is None:
                return
            peer.sendall(record[:5])
            peer.sendall(record[5:])

    def _answer(self, call: Reader) -> bytes:
        xid = call.word()
        call.expect(0, 2, 100003, 4, 1)
        self._read_credential(call)
        call.opaque()
        call.expect(1)
        count, operation = call.word(), call.word()
        status, results = self._compound(operation, count, call)
        assert call.data == b"", "more than the call"
        head = words(xid, 1, 0, 0, 0, self.accept_stat)
        return head if self.accept_stat else head + words(status) + opaque(b"tag") + results

    def _read_credential(self, call: Reader) -> None:
        """AUTH_SYS (RFC 5531, appendix A), as root without groups; and no verifier."""
        call.expect(1)
        body = Reader(call.opaque())
        body.take(4)
        self.machines.add(body.opaque())
        body.expect(0, 0, 0)
        assert body.data == b"", "more than the credential"
        call.expect(0, 0)

    def _compound(self, operation: int, count: int, call: Reader) -> tuple[int, bytes]:
        status = self.refuse.get(operation, 0)
        if operation == EXCHANGE_ID:
            assert count == 1
            self._read_exchange_id(call)
            result = CLIENT_ID + words(FIRST, 0x10000, 0) + bytes(8) + opaque(b"owner") + opaque(self.scope.encode()) + words(0)
        elif operation == CREATE_SESSION:
            assert count == 1
            self._read_create_session(call)
            self.sequence = 0
            result = self.session + words(FIRST, 0) + words(0, 4096, 4096, 1024, 8, 1, 0) * 2
        else:
            assert (operation, count) == (SEQUENCE, 3)
            return self._look(call, status)
        return status, words(1, operation, status) + (b"" if status else result)

    def _read_exchange_id(self, call: Reader) -> None:
        self.verifiers.add(call.take(8))
        self.owners.append(call.opaque())
        call.expect(0, 0, 0)

    def _read_create_session(self, call: Reader) -> None:
        assert call.take(8) == CLIENT_ID
        call.expect(FIRST, 0)
        for _ in ("fore", "back"):
            padding, request, response, cached, operations, slots = (call.word() for _ in range(6))
            assert (padding, slots) == (0, 1) and min(request, response) >= 1024 and cached <= response and operations >= 3
            call.expect(0)
        call.word()
        call.expect(1, 0)

    def _look(self, call: Reader, status: int) -> tuple[int, bytes]:
        known, number = call.take(16) == self.session, call.word()
        call.expect(0, 0, 0)
        call.expect(PUTROOTFH, GETATTR, 1, 2)
        if not known:
            status = BADSESSION
        elif number != self.sequence + 1:
            status = SEQ_MISORDERED
        if status:
            return status, words(1, SEQUENCE, status)
        self.sequence += 1
        self.looks += 1
        sequence = words(SEQUENCE, 0) + self.session + words(number, 0, 0, 0, 0)
        if self.after_sequence:
            return self.after_sequence, words(2) + sequence + words(PUTROOTFH, self.after_sequence)
        attributes = words(1, 2) + opaque(words(2))
        return 0, words(3) + sequence + words(PUTROOTFH, 0) + words(GETATTR, 0) + attributes


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server at 127.0.0.1, where the client looks for it; what it finds wrong with a call is an error at the end."""
    server = Server()
    monkeypatch.setattr(nfs41, "NFS_PORT", server.port)
    server.thread.start()
    try:
        yield server
    finally:
        server.stop()
    assert not server.errors, server.errors
