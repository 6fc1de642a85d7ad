"""A client of NFSv4.1 that is just large enough to ask a server whether it works (RFC 8881, RFC 5531, RFC 4506)."""

from __future__ import annotations

import os
import socket
import struct
from ipaddress import IPv4Address

from nfsha_config.host.connections import NFS_PORT

_PROGRAM, _VERSION, _COMPOUND = 100003, 4, 1
_LAST_FRAGMENT = 0x80000000
# RFC 8881, 18: operations, and the attribute `type` as a bitmap.
_EXCHANGE_ID, _CREATE_SESSION, _SEQUENCE, _PUTROOTFH, _GETATTR = 42, 43, 53, 24, 9
_ATTRIBUTE_TYPE = 1 << 1
# RFC 5531, 8.2 and appendix A: what calls are signed with; no data is what answers are checked by.
_AUTH_NONE, _AUTH_SYS = 0, 1
# Bytes, operations and slots of a session that asks one small question after the other.
_CHANNEL = struct.pack("!7I", 0, 4096, 4096, 1024, 8, 1, 0)
_LONGEST = 65536


class Unwell(Exception):
    """The server does not do what it should; the text says what."""


class Client:
    """One session with the server at an address of this machine, from that address itself.

    Each call raises Unwell, and OSError where nothing comes back.
    """

    def __init__(self, server: IPv4Address, timeout: float) -> None:
        """timeout: seconds that the server may take for each answer."""
        # Linux would take the node's own first address, which nothing is exported to.
        self.socket = socket.create_connection((str(server), NFS_PORT), timeout, (str(server), 0))
        self.xid = int.from_bytes(os.urandom(4), "big")
        self.slot = 0
        sys = struct.pack("!I", 0) + _opaque(os.uname().nodename.encode()) + struct.pack("!III", 0, 0, 0)
        self.credential = struct.pack("!I", _AUTH_SYS) + _opaque(sys) + struct.pack("!II", _AUTH_NONE, 0)
        try:
            self.scope = self._begin()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave; the server forgets the session when its lease is over."""
        self.socket.close()

    def ask(self) -> None:
        """Have the server look at the root of what it exports: by the session, and with rpc.mountd's help."""
        self.slot += 1
        sequence = self.session + struct.pack("!IIII", self.slot, 0, 0, 0)
        look = _operation(_PUTROOTFH) + _operation(_GETATTR, struct.pack("!II", 1, _ATTRIBUTE_TYPE))
        status, answer = self._compound(3, _operation(_SEQUENCE, sequence) + look)
        operation, first = answer.words(2)
        if operation != _SEQUENCE or first:
            raise Unwell(f"SEQUENCE is answered by error {first}")
        if status:
            raise Unwell(f"GETATTR of the exported root is answered by error {status}")

    def _begin(self) -> str:
        """Say who asks, make a session; return the server's scope (RFC 8881, 2.10.4)."""
        owner = struct.pack("!Q", _boot()) + _opaque(f"nfsha {os.uname().nodename}".encode())
        answer = self._one(_EXCHANGE_ID, owner + struct.pack("!III", 0, 0, 0))
        client = answer.take(8)
        sequence, _, _ = answer.words(3)
        answer.take(8)
        answer.opaque()
        scope = answer.opaque().decode("utf-8", "replace")
        callback = struct.pack("!III", 0x40000000, 1, 0)
        made = self._one(_CREATE_SESSION, client + struct.pack("!II", sequence, 0) + _CHANNEL + _CHANNEL + callback)
        self.session = made.take(16)
        return scope

    def _one(self, operation: int, body: bytes) -> _Answer:
        status, answer = self._compound(1, _operation(operation, body))
        if status:
            raise Unwell(f"operation {operation} of NFSv4.1 is answered by error {status}")
        answer.words(2)
        return answer

    def _compound(self, operations: int, body: bytes) -> tuple[int, _Answer]:
        """The status of the whole, and the answers of the operations."""
        self.xid = (self.xid + 1) & 0xFFFFFFFF
        call = struct.pack("!6I", self.xid, 0, 2, _PROGRAM, _VERSION, _COMPOUND) + self.credential
        call += _opaque(b"") + struct.pack("!II", 1, operations) + body
        self.socket.sendall(struct.pack("!I", _LAST_FRAGMENT | len(call)) + call)
        answer = _Answer(self._record())
        xid, kind, denied = answer.words(3)
        if (xid, kind, denied) != (self.xid, 1, 0):
            raise Unwell("the call is not accepted (RFC 5531)")
        answer.words(1)
        answer.opaque()
        (accepted,) = answer.words(1)
        if accepted:
            raise Unwell(f"the server does not know NFSv4 (RFC 5531, accept_stat {accepted})")
        (status,) = answer.words(1)
        answer.opaque()
        answer.words(1)
        return status, answer

    def _record(self) -> bytes:
        (mark,) = struct.unpack("!I", self._receive(4))
        if not mark & _LAST_FRAGMENT or mark ^ _LAST_FRAGMENT > _LONGEST:
            raise Unwell("the answer is not one record (RFC 5531, 11)")
        return self._receive(mark ^ _LAST_FRAGMENT)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionResetError("the server closed the connection")
            data += more
        return data


class _Answer:
    """XDR, taken apart from its beginning. Raises Unwell where it is too short."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        if len(self.data) < size:
            raise Unwell("the answer is cut short")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def words(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"!{count}I", self.take(4 * count))

    def opaque(self) -> bytes:
        (size,) = self.words(1)
        return self.take(-(-size // 4) * 4)[:size]


def _boot() -> int:
    """A number that is another one after a reboot, as the verifier of a client must be (RFC 8881, 18.35.3)."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return int(file.read()[:8], 16)


def _operation(number: int, body: bytes = b"") -> bytes:
    return struct.pack("!I", number) + body


def _opaque(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data + bytes(-len(data) % 4)
