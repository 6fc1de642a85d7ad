"""The guest agent: commands and files inside a machine without any network, over a virtio serial line."""

import base64
import json
import os
import random
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfsha_lab.deadline import Deadline
from nfsha_lab.errors import LabError, ProductError

GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Longer than the agent's slowest single answer; a command runs on its own, outside of it.
ANSWER_SECONDS = 60.0
CHUNK_BYTES = 256 * 1024
_CLOCK_ASKED = 5

# The agent reports a process as ended only when its output is closed, which a daemon it left behind never does;
# so the output goes to files and is told afterwards.
WRAPPER = """out=$(mktemp -d /run/lab-XXXXXX) || exit 125
(eval "$1") </dev/null >"$out/1" 2>"$out/2"
rc=$?
cat "$out/1"
[ -s "$out/2" ] && cat "$out/2" >&2
rm -r "$out"
exit $rc"""


@dataclass(frozen=True)
class Completed:
    """What a command in a machine came to: exit status (128 + number for a signal) and its two outputs."""

    status: int
    out: str
    err: str


class AgentError(LabError):
    """The agent refuses a request or does not answer."""


class Agent:
    """One machine's agent. The connection is made at the first use and held: the agent serves one client."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name
        self._connection: socket.socket | None = None
        self._buffer = b""
        self._lock = threading.RLock()

    def reset(self) -> None:
        """Drop the connection; the next request makes a new one. Needed when the machine was restored or killed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            self._buffer = b""

    def _line(self, connection: socket.socket, end: bytes, deadline: Deadline) -> bytes:
        while end not in self._buffer:
            if deadline.expired:
                raise TimeoutError("no answer")
            connection.settimeout(max(0.01, deadline.remaining))
            data = connection.recv(1 << 20)
            if not data:
                raise ConnectionError("QEMU closed the line")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(end)
        return line

    def _connect(self, deadline: Deadline) -> socket.socket:
        """Connect and agree on where answers begin: docs/interop/qemu-ga-ref, guest-sync-delimited."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection, self._buffer = connection, b""
        connection.settimeout(max(0.01, deadline.remaining))
        connection.connect(os.fspath(self.path))
        number = random.randrange(1 << 31)
        sync = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
        connection.sendall(b"\xff" + json.dumps(sync).encode() + b"\n")
        while True:
            self._line(connection, b"\xff", deadline)
            answer = json.loads(self._line(connection, b"\n", deadline))
            if answer.get("return") == number:
                return connection

    def request(self, execute: str, timeout: float = ANSWER_SECONDS, **arguments: Any) -> Any:
        """One agent command; AgentError if it is refused or unanswered within `timeout` seconds."""
        deadline = Deadline(timeout)
        with self._lock:
            try:
                connection = self._connection or self._connect(deadline)
                words: dict[str, Any] = {"execute": execute}
                if arguments:
                    words["arguments"] = arguments
                connection.settimeout(max(0.01, deadline.remaining))
                connection.sendall(json.dumps(words).encode() + b"\n")
                answer = json.loads(self._line(connection, b"\n", deadline))
            except (OSError, ValueError) as error:
                self.reset()
                raise AgentError(
                    f"{self.name}: the guest agent does not answer {execute!r} within {timeout:g} s ({error}); "
                    "is the machine up, frozen, or is another program talking to its agent?"
                ) from error
        if "error" in answer:
            raise AgentError(f"{self.name}: the guest agent refuses {execute!r}: {answer['error']['desc']}")
        return answer["return"]

    def ping(self, timeout: float = 2.0) -> bool:
        """Whether the agent answers."""
        try:
            self.request("guest-ping", timeout)
        except AgentError:
            return False
        return True

    def clock_ahead(self) -> float:
        """Seconds by which the machine's time of day is ahead of the host's: by the quickest of some answers."""
        found = []
        for _ in range(_CLOCK_ASKED):
            before = time.time()
            told = self.request("guest-get-time") / 1e9
            after = time.time()
            found.append((after - before, told - (before + after) / 2))
        return float(min(found)[1])

    def _spawn(self, path: str, arguments: list[str], capture: bool) -> int:
        environment = [f"PATH={GUEST_PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb"]
        words: dict[str, Any] = {"path": path, "arg": arguments, "env": environment, "capture-output": capture}
        answer = self.request("guest-exec", **words)
        return int(answer["pid"])

    def begin(self, command: str) -> None:
        """Run `command` by /bin/sh -c in the machine and neither wait for it nor learn what came of it."""
        self._spawn("/bin/sh", ["-c", command], capture=False)

    def execute(self, command: str, timeout: float) -> Completed:
        """Run `command` by /bin/sh -c in the machine; ProductError if it lasts longer than `timeout` seconds."""
        deadline = Deadline(timeout)
        pid = self._spawn("/bin/sh", ["-c", WRAPPER, "lab", command], capture=True)
        for _ in deadline.polls(0.02, 0.3):
            status = self.request("guest-exec-status", pid=pid)
            if status["exited"]:
                return Completed(
                    status=status["exitcode"] if "exitcode" in status else 128 + status.get("signal", 0),
                    out=base64.b64decode(status.get("out-data", "")).decode(errors="replace"),
                    err=base64.b64decode(status.get("err-data", "")).decode(errors="replace"),
                )
        # The wrapper's children are those of the command: what started it must not go on unseen.
        self.begin(f"pkill -KILL -P $(pgrep -d, -P {pid}); pkill -KILL -P {pid}")
        raise ProductError(f"{self.name}: not finished within {timeout:g} s: {command}")

    def read(self, path: str) -> bytes:
        """The content of a file in the machine."""
        handle = self.request("guest-file-open", path=path, mode="r")
        try:
            parts = []
            while True:
                answer = self.request("guest-file-read", handle=handle, count=CHUNK_BYTES)
                parts.append(base64.b64decode(answer["buf-b64"]))
                if answer["eof"]:
                    return b"".join(parts)
        finally:
            self.request("guest-file-close", handle=handle)

    def write(self, path: str, content: bytes) -> None:
        """Make a file in the machine, or replace its content."""
        handle = self.request("guest-file-open", path=path, mode="w")
        try:
            for at in range(0, len(content), CHUNK_BYTES):
                chunk = base64.b64encode(content[at : at + CHUNK_BYTES]).decode()
                words: dict[str, Any] = {"handle": handle, "buf-b64": chunk}
                self.request("guest-file-write", **words)
        finally:
            self.request("guest-file-close", handle=handle)
