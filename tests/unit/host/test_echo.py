"""An answer to a ping is known from all else that a raw socket hears."""

from __future__ import annotations

import select
import struct
import time
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfsha_config.host import echo
from nfsha_config.host.checksum import checksum
from nfsha_config.host.echo import Echo

IP = bytes([0x45]) + bytes(19)
REPLY = struct.pack("!BBHHH", 0, 0, 0, 77, 1)
NOBODY = IPv4Address("127.255.255.254")


def summed(data: bytes) -> int:
    """The ones' complement sum of RFC 1071, by a remainder."""
    return int.from_bytes(data, "big") % 0xFFFF


def comes(here: Echo) -> bool:
    """Whether an answer comes within a few seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if here.answered():
            return True
        select.select([here.socket], [], [], 0.1)
    return False


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_a_request_is_right_by_its_checksum(identifier: int, sequence: int) -> None:
    packet = echo.packet(identifier, sequence)
    assert (packet[:2], struct.unpack("!HH", packet[4:])) == (b"\x08\0", (identifier, sequence))
    assert summed(packet) == 0


def test_the_checksum_of_the_standards_example() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_an_answer_to_ours() -> None:
    assert echo.is_reply(IP + REPLY, 77)
    assert echo.is_reply(bytes([0x46]) + bytes(23) + REPLY + b"data", 77)


@pytest.mark.parametrize(
    "data",
    [b"", IP, IP + REPLY[:7], IP + b"\x08" + REPLY[1:], IP + b"\x03" + REPLY[1:], bytes([0x4F]) + bytes(19) + REPLY],
)
def test_what_is_no_answer(data: bytes) -> None:
    assert not echo.is_reply(data, 77)


def test_an_answer_to_another() -> None:
    assert not echo.is_reply(IP + REPLY, 78)


def test_this_machine_answers() -> None:
    here = Echo(IPv4Address("127.0.0.1"))
    with here.socket:
        assert not here.answered()
        here.ask()
        assert comes(here)
        assert not here.answered()


def test_the_answer_of_another_machine_does_not_count() -> None:
    here, there = Echo(IPv4Address("127.0.0.1")), Echo(NOBODY)
    with here.socket, there.socket:
        here.ask()
        assert comes(here)
        assert select.select([there.socket], [], [], 0)[0]
        assert not there.answered()


def test_a_request_that_cannot_be_sent_is_not_answered() -> None:
    nowhere = Echo(IPv4Address("255.255.255.255"))
    with nowhere.socket:
        nowhere.ask()
        assert not nowhere.answered()
        assert nowhere.sequence == 1


def test_the_numbers_begin_again() -> None:
    here = Echo(IPv4Address("127.0.0.1"))
    with here.socket:
        here.sequence = 0xFFFF
        here.ask()
        assert here.sequence == 0
