"""The TCP connections of NFS clients, listed on the shared state for the server that comes next."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.file import read, write
from nfsha_config.paths import Paths

NFS_PORT = 2049

# include/net/tcp_states.h
_ESTABLISHED = "01"


@dataclass(frozen=True, order=True)
class Connection:
    """The client's end of a connection to the NFS server at the virtual address."""

    address: ipaddress.IPv4Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


def established(virtual: ipaddress.IPv4Address, paths: Paths) -> list[Connection]:
    """Who is connected to the NFS server at the virtual address now (Documentation/networking/proc_net_tcp.rst).

    This node's own questions to its server (inquiry.py) come from the virtual address itself, and don't count.
    """
    rows = (line.split() for line in (read(paths.at("/proc/net/tcp")) or "").splitlines()[1:])
    here = _hexadecimal(virtual, NFS_PORT)
    found = (_connection(row[2]) for row in rows if row[1] == here and row[3] == _ESTABLISHED)
    return sorted(connection for connection in found if connection.address != virtual)


def _hexadecimal(address: ipaddress.IPv4Address, port: int) -> str:
    """As the kernel prints it: the address as a number in the machine's own byte order."""
    return f"{struct.unpack('=I', address.packed)[0]:08X}:{port:04X}"


def _connection(text: str) -> Connection:
    address, _, port = text.partition(":")
    return Connection(ipaddress.IPv4Address(struct.pack("=I", int(address, 16))), int(port, 16))


def save(connections: Iterable[Connection], path: Path) -> None:
    """Write the list, whole or not at all."""
    write(path, "".join(f"{connection}\n" for connection in connections), 0o600)


def saved(path: Path) -> list[Connection]:
    """The list that the last server left; what is no connection in it is passed over."""
    found = []
    for line in (read(path) or "").splitlines():
        address, _, port = line.partition(":")
        try:
            found.append(Connection(ipaddress.IPv4Address(address), int(port)))
        except ValueError:
            continue
    return found
