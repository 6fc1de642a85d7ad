"""Start the switch and order faults of it: unplugged machines, cut pairs, delay, loss, captures."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nfsha_lab.deadline import wait_for
from nfsha_lab.errors import LabError
from nfsha_lab.folders import CHECKOUT, socket_path
from nfsha_lab.network import PERFECT, Pair, Quality, both_ways
from nfsha_lab.process import Daemon
from nfsha_lab.switch import control_socket, port_socket

ANSWER_SECONDS = 10.0
START_SECONDS = 20.0


@dataclass(frozen=True)
class Network:
    """The network under test of one laboratory, as seen from outside its switch process."""

    run: Path
    names: tuple[str, ...]

    @property
    def daemon(self) -> Daemon:
        return Daemon(self.run / "switch.pid", os.fspath(self.run))

    def port(self, name: str) -> Path:
        """The unix socket a machine plugs its eth1 into."""
        return socket_path(port_socket(self.run, name))

    def start(self) -> None:
        """Start the switch if it does not run; a new one has no faults."""
        with (self.run / "switch.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.daemon.pid is None:
                self._spawn()

    def _spawn(self) -> None:
        control = socket_path(control_socket(self.run))
        control.unlink(missing_ok=True)
        log = self.run / "switch.log"
        with log.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "nfsha_lab.switch", os.fspath(self.run), *self.names],
                env={**os.environ, "PYTHONPATH": os.fspath(CHECKOUT)},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

        def ready() -> bool:
            if process.poll() is not None:
                raise LabError(f"the switch ended at once:\n{log.read_text(errors='replace')}")
            return control.exists()

        wait_for("the switch's control socket", ready, START_SECONDS)
        self.daemon.pidfile.write_text(f"{process.pid}\n")

    def stop(self) -> None:
        """End the switch process."""
        self.daemon.end()

    def order(self, **order: Any) -> dict[str, Any]:
        """Send one order and return the answer; LabError if the switch is gone or refuses it."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(os.fspath(control_socket(self.run)))
                connection.sendall(json.dumps(order).encode() + b"\n")
                answer: dict[str, Any] = json.loads(connection.makefile().readline())
        except (OSError, ValueError) as error:
            raise LabError(f"the switch of {self.run} does not answer ({error}); is the laboratory up?") from error
        if "error" in answer:
            raise LabError(f"the switch refuses {order}: {answer['error']}")
        return answer

    def shape(self, pairs: Iterable[Pair], quality: Quality) -> None:
        """Give directed pairs a quality: see network.Quality."""
        self.order(do="shape", pairs=[list(pair) for pair in pairs], quality=asdict(quality))

    def cut(self, one: str, other: str | None = None, one_way: bool = False) -> None:
        """Lose all frames between a machine and another, or all others; `one_way` only those from the first."""
        pairs = both_ways(one, [other] if other else self.names)
        self.shape([pair for pair in pairs if not one_way or pair[0] == one], Quality(cut=True))

    def join(self, one: str, other: str | None = None) -> None:
        """Undo every fault between a machine and another, or all others."""
        self.shape(both_ways(one, [other] if other else self.names), PERFECT)

    def heal(self) -> None:
        """Undo every fault."""
        for name in self.names:
            self.join(name)

    def alone(self, name: str) -> bool:
        """Whether every frame from and to a machine is lost."""
        cut = {(source, target) for source, target, quality in self.status()["faults"] if quality["cut"]}
        return cut.issuperset(both_ways(name, self.names))

    def capture(self, name: str, path: Path) -> None:
        """Write all frames from and to a machine to a pcap file, until `stop_capture`."""
        self.order(do="capture", port=name, path=os.fspath(path.absolute()))

    def stop_capture(self, name: str) -> None:
        self.order(do="stop-capture", port=name)

    def status(self) -> dict[str, Any]:
        """Counters by port and the faults in force."""
        return self.order(do="status")
