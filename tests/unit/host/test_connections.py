"""Connections are read from the kernel's table, kept, and read back; a tickle is a right TCP segment."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nfsha_config.host import connections, tickle
from nfsha_config.host.connections import Connection
from nfsha_config.paths import Paths

VIRTUAL = ipaddress.IPv4Address("192.168.50.10")
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0801 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 42404 1 0 100 0 0 10 0
   1: 0A32A8C0:0801 6432A8C0:88B0 01 00000000:00000000 00:00000000 00000000     0        0 42405 3 0 20 4 1 32 -1
   2: 0A32A8C0:0801 6532A8C0:0367 04 00000000:00000000 00:00000000 00000000     0        0 42406 3 0 20 4 1 32 -1
   3: 0B32A8C0:0801 6632A8C0:0367 01 00000000:00000000 00:00000000 00000000     0        0 42407 3 0 20 4 1 32 -1
   4: 0A32A8C0:0016 6632A8C0:0368 01 00000000:00000000 00:00000000 00000000     0        0 42408 3 0 20 4 1 32 -1
"""


def test_only_the_nfs_servers_connections_at_the_virtual_address(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert connections.established(VIRTUAL, paths) == []
    paths.at("/proc/net").mkdir(parents=True)
    paths.at("/proc/net/tcp").write_text(TABLE)
    found = connections.established(VIRTUAL, paths)
    assert [str(one) for one in found] == ["192.168.50.100:34992"]


def test_the_list_is_read_back_without_what_is_damaged(tmp_path: Path) -> None:
    listed = [Connection(ipaddress.IPv4Address(f"192.0.2.{number}"), 700 + number) for number in range(1, 4)]
    path = tmp_path / "connections"
    connections.save(listed, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert connections.saved(path) == listed
    path.write_text(path.read_text().replace("192.0.2.2:", "192.0.2.:") + "half")
    assert connections.saved(path) == [listed[0], listed[2]]
    assert connections.saved(tmp_path / "none") == []


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(1, 65535))
def test_a_tickle_is_a_bare_ack_with_a_right_checksum(server: int, client: int, port: int) -> None:
    here, there = ipaddress.IPv4Address(server), ipaddress.IPv4Address(client)
    segment = tickle.segment(here, Connection(there, port))
    assert struct.unpack("!HH", segment[:4]) == (2049, port)
    assert (segment[12] >> 4) * 4 == len(segment) == 20
    assert segment[13] == 0x10
    pseudo = here.packed + there.packed + struct.pack("!BBH", 0, 6, len(segment))
    total = sum(word for (word,) in struct.iter_unpack("!H", pseudo + segment))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
