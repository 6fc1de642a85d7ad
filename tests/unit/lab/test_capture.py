"""A call is told from a client that comes by itself."""

from __future__ import annotations

from nfsha_lab.capture import Capture

CALLED = """\
100.0 IP 192.168.50.10.2049 > 192.168.50.13.842: Flags [.], ack 5, win 501, length 0
112.1 IP 192.168.50.10.2049 > 192.168.50.13.842: Flags [.], ack 5, win 0, length 0
112.3 IP 192.168.50.10.2049 > 192.168.50.13.842: Flags [R], seq 9, win 0, length 0
112.4 IP 192.168.50.13.842 > 192.168.50.10.2049: Flags [S], seq 1, win 64240, length 0
"""


def seen(text: str) -> Capture:
    found = Capture()
    found.read(text)
    return found


def test_a_client_that_was_called_back() -> None:
    assert [round(wait, 1) for wait in seen(CALLED).calls()] == [0.2]
    assert [round(wait, 1) for wait in seen(CALLED).reconnects()] == [0.1]


def test_a_client_that_came_by_itself() -> None:
    lines = CALLED.splitlines(keepends=True)
    assert [round(wait, 1) for wait in seen("".join([lines[0], *lines[2:]])).calls()] == [12.3]
    assert seen("".join(lines[2:])).calls() == []
