"""QEMU's own control socket (QMP): stop, continue, snapshots, cables, and the monitor's words."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from nfsha_lab.errors import LabError


class Qmp:
    """One machine's QMP socket; each call is a connection of its own, since QEMU serves one client at a time."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self.name = name

    def command(self, execute: str, timeout: float = 10.0, **arguments: Any) -> Any:
        """Run one QMP command and return its value; LabError if QEMU refuses, is gone, or is silent."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(timeout)
                connection.connect(os.fspath(self.path))
                with connection.makefile("rwb", buffering=0) as stream:
                    stream.readline()
                    self._call(stream, "qmp_capabilities", {})
                    return self._call(stream, execute, arguments)
        except OSError as error:
            raise LabError(
                f"{self.name}: QEMU does not answer {execute!r} ({error or type(error).__name__})"
            ) from error

    def _call(self, stream: Any, execute: str, arguments: dict[str, Any]) -> Any:
        stream.write(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        while line := stream.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise LabError(f"{self.name}: QEMU refuses {execute!r}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise LabError(f"{self.name}: QEMU ended during {execute!r}")

    def monitor(self, line: str, timeout: float = 60.0) -> str:
        """Run a command of the human monitor and return what it prints (an error is also only printed)."""
        return str(self.command("human-monitor-command", timeout=timeout, **{"command-line": line}))

    def quiet(self, line: str, timeout: float = 60.0) -> None:
        """Run a command of the human monitor that prints nothing unless it fails."""
        printed = self.monitor(line, timeout).strip()
        if printed:
            raise LabError(f"{self.name}: QEMU's {line!r} failed: {printed}")

    @property
    def running(self) -> bool:
        """Whether the guest's processor runs, as opposed to stopped."""
        return bool(self.command("query-status")["running"])
