"""The guest agent's line: agreement on where answers begin, framing, refusals, silence."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nfsha_lab.agent import Agent, AgentError
from nfsha_lab.errors import ProductError

Answer = Callable[[str, dict[str, Any]], Any]


class FakeGuest:
    """Serves the agent's protocol on a unix socket, one client at a time, as QEMU and qemu-ga do together."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.noise = b""
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(str(path))
        self.server.listen(4)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                client.sendall(self.noise)
                for line in stream:
                    request = json.loads(line.lstrip(b"\xff"))
                    if not self._answer(client, request["execute"], request.get("arguments", {})):
                        break

    def _answer(self, client: socket.socket, name: str, arguments: dict[str, Any]) -> bool:
        self.requests.append(name)
        if name == "guest-sync-delimited":
            client.sendall(b"\xff" + json.dumps({"return": arguments["id"]}).encode() + b"\n")
            return True
        answer = self.answers[name](name, arguments)
        if answer is None:
            return True
        client.sendall(json.dumps(answer).encode() + b"\n")
        return True


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[FakeGuest]:
    guest = FakeGuest(tmp_path / "agent.sock")
    yield guest
    guest.server.shutdown(socket.SHUT_RDWR)
    guest.server.close()


@pytest.fixture
def agent(guest: FakeGuest, tmp_path: Path) -> Iterator[Agent]:
    agent = Agent(tmp_path / "agent.sock", "nfs1")
    yield agent
    agent.reset()


def test_stale_answers_before_the_agreement_are_skipped(guest: FakeGuest, agent: Agent) -> None:
    guest.noise = b'{"return": 1}\n{"ret\xff{"return": 4711}\n'
    guest.answers["guest-ping"] = lambda _name, _arguments: {"return": {}}
    assert agent.ping()
    assert agent.ping()
    assert guest.requests == ["guest-sync-delimited", "guest-ping", "guest-ping"]


def test_a_clock_is_compared_by_the_answer_that_came_soonest(guest: FakeGuest, agent: Agent) -> None:
    delays = iter([0.3, 0.0, 0.3, 0.3, 0.3])

    def told(_name: str, _arguments: object) -> dict[str, int]:
        # What the machine is asked arrives late, so that half of the way there and back is not where it looked.
        time.sleep(next(delays))
        return {"return": int((time.time() - 60) * 1e9)}

    guest.answers["guest-get-time"] = told
    assert agent.clock_ahead() == pytest.approx(-60, abs=0.1)


def test_refusal_is_told(guest: FakeGuest, agent: Agent) -> None:
    guest.answers["guest-file-open"] = lambda _name, _arguments: {"error": {"desc": "No such file"}}
    with pytest.raises(AgentError, match="nfs1: the guest agent refuses 'guest-file-open': No such file"):
        agent.read("/x")


def test_silence_ends_at_the_deadline_and_the_next_request_agrees_anew(guest: FakeGuest, agent: Agent) -> None:
    guest.answers["guest-ping"] = lambda _name, _arguments: None
    assert not agent.ping(timeout=0.1)
    guest.answers["guest-ping"] = lambda _name, _arguments: {"return": {}}
    assert agent.ping()
    assert guest.requests.count("guest-sync-delimited") == 2


def test_no_machine_is_an_error_with_advice(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="is the machine up"):
        Agent(tmp_path / "nothing.sock", "nfs1").request("guest-ping")


def test_command_comes_back_with_status_and_outputs(guest: FakeGuest, agent: Agent) -> None:
    polls = iter([False, False, True])

    def status(_name: str, _arguments: dict[str, Any]) -> Any:
        if not next(polls):
            return {"return": {"exited": False}}
        out, err = (base64.b64encode(text).decode() for text in (b"out\n", b"err \xff\n"))
        return {"return": {"exited": True, "exitcode": 3, "out-data": out, "err-data": err}}

    guest.answers["guest-exec"] = lambda _name, _arguments: {"return": {"pid": 7}}
    guest.answers["guest-exec-status"] = status
    done = agent.execute("x", timeout=5)
    assert (done.status, done.out, done.err) == (3, "out\n", "err \ufffd\n")


def test_endless_command_is_killed_and_blamed(guest: FakeGuest, agent: Agent) -> None:
    started: list[str] = []

    def start(_name: str, arguments: dict[str, Any]) -> Any:
        started.append(arguments["arg"][1])
        return {"return": {"pid": 7}}

    guest.answers["guest-exec"] = start
    guest.answers["guest-exec-status"] = lambda _name, _arguments: {"return": {"exited": False}}
    with pytest.raises(ProductError, match=r"nfs1: not finished within 0\.1 s: sleep 99"):
        agent.execute("sleep 99", timeout=0.1)
    assert "pkill" in started[-1]


def test_files_travel_in_chunks(guest: FakeGuest, agent: Agent) -> None:
    content = bytes(range(256)) * 3000
    kept = bytearray()

    def write(_name: str, arguments: dict[str, Any]) -> Any:
        kept.extend(base64.b64decode(arguments["buf-b64"]))
        return {"return": {}}

    def read(_name: str, arguments: dict[str, Any]) -> Any:
        part = bytes(kept[: arguments["count"]])
        del kept[: arguments["count"]]
        return {"return": {"buf-b64": base64.b64encode(part).decode(), "eof": not kept}}

    guest.answers["guest-file-open"] = lambda _name, _arguments: {"return": 1000}
    guest.answers["guest-file-close"] = lambda _name, _arguments: {"return": {}}
    guest.answers["guest-file-write"] = write
    guest.answers["guest-file-read"] = read
    agent.write("/x", content)
    assert bytes(kept) == content
    assert agent.read("/x") == content
