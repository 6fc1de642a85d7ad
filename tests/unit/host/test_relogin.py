"""iscsid is started again where it does not come back to a target that is there, and only there."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from nfsha_config.host.relogin import Relogin
from nfsha_config.paths import Paths
from nfsha_config.site.kinds import Portal

from .looked_at import SITE
from .standins import program

IQN = SITE.storage.iqn
RESTART = "restart --no-block iscsid.service"


class Initiator:
    """A node's session with a target of this machine."""

    def __init__(self, portal: Portal, folder: Path) -> None:
        site = dataclasses.replace(SITE, storage=dataclasses.replace(SITE.storage, portal=portal))
        self.paths, self.notes = Paths(folder), folder / "notes"
        self.relogin = Relogin(site, self.paths)

    def has(self, session: str, connection: str, iqn: str = IQN) -> None:
        top = self.paths.at("/sys/class/iscsi_session/session1")
        bottom = top / "device/connection1:0/iscsi_connection/connection1:0"
        bottom.mkdir(parents=True, exist_ok=True)
        for place, text in ((top / "targetname", iqn), (top / "state", session), (bottom / "state", connection)):
            place.write_text(f"{text}\n")

    def looks(self, *times: float) -> list[str]:
        """What systemctl has been asked for after looks at these times."""
        for time in times:
            self.relogin.look(time)
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def bare(target: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Initiator:
    """Without a session."""
    program(tmp_path, "systemctl", 'echo "$*" >>notes', monkeypatch)
    return Initiator(Portal(IPv4Address("127.0.0.1"), target.getsockname()[1]), tmp_path)


@pytest.fixture
def node(bare: Initiator) -> Initiator:
    bare.has("FAILED", "failed")
    return bare


def test_iscsid_that_does_not_come_back_is_started_again(node: Initiator) -> None:
    assert node.looks(0, 2) == []
    assert node.looks(4) == [RESTART]
    assert node.looks(6, 22) == [RESTART], "it is given time"
    assert node.looks(24) == [RESTART, RESTART]


@pytest.mark.parametrize(("session", "connection", "iqn"), [
    ("LOGGED_IN", "up", IQN), ("FAILED", "bound", IQN), ("FAILED", "up", IQN),
    ("FAILED", "failed", "iqn.2001-04.com.example:other"),
])  # fmt: skip
def test_one_that_is_logged_in_or_about_to_be_is_left_alone(
    node: Initiator, session: str, connection: str, iqn: str
) -> None:
    node.has(session, connection, iqn)
    assert node.looks(0, 4, 8) == []


def test_no_session_is_nothing_to_come_back_to(bare: Initiator) -> None:
    assert bare.looks(0, 4, 8) == []


def test_an_attempt_begins_anew_the_wait(node: Initiator) -> None:
    assert node.looks(0, 2) == []
    node.has("FAILED", "bound")
    assert node.looks(4) == []
    node.has("FAILED", "failed")
    assert node.looks(6, 8) == []


def test_a_target_that_is_away_is_waited_for(node: Initiator, target: socket.socket) -> None:
    target.close()
    assert node.looks(0, 4, 8) == []


def test_so_is_one_that_closes_what_it_took(node: Initiator, target: socket.socket) -> None:
    def close() -> None:
        for _ in range(3):
            target.accept()[0].close()

    thread = threading.Thread(target=close)
    thread.start()
    assert node.looks(0, 4, 8) == []
    thread.join(10)
