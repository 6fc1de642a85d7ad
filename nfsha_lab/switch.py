"""The switch process: carries frames between the machines' sockets and never lets a stalled one hold up the rest."""

import contextlib
import heapq
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from nfsha_lab.network import Fabric, Quality
from nfsha_lab.wire import Capture, Framing, framed

QUEUE_FRAMES = 512
READ_BYTES = 1 << 18
SEND_FRAMES = 64
CONTROL_BYTES_MAX = 1 << 16


def port_socket(run: Path, name: str) -> Path:
    """Where the machine called `name` plugs in its eth1."""
    return run / f"port-{name}.sock"


def control_socket(run: Path) -> Path:
    """Where faults are ordered; one JSON object a line, one answer each."""
    return run / "switch.sock"


@dataclass
class Port:
    """One socket of the switch, with or without a machine at its other end."""

    name: str
    machine: socket.socket | None = None
    framing: Framing = field(default_factory=Framing)
    queue: deque[bytes] = field(default_factory=deque)
    capture: Capture | None = None
    received: int = 0
    sent: int = 0
    dropped: int = 0

    def enqueue(self, frame: bytes) -> None:
        """Take a frame for the machine, or drop it if none is there or it does not keep up."""
        if self.machine is None or len(self.queue) >= QUEUE_FRAMES:
            self.dropped += 1
            return
        self.queue.append(framed(frame))
        self.sent += 1
        if self.capture:
            self.capture.record(frame)

    def flush(self) -> bool:
        """Send what the machine takes; True if some is left. OSError if the machine is gone."""
        while self.queue and self.machine is not None:
            chunk = [self.queue[index] for index in range(min(SEND_FRAMES, len(self.queue)))]
            try:
                count = self.machine.sendmsg(chunk)
            except BlockingIOError:
                return True
            while self.queue and count >= len(self.queue[0]):
                count -= len(self.queue.popleft())
            if count:
                # The rest of a frame begun must follow, whatever else is dropped.
                self.queue[0] = self.queue[0][count:]
        return False

    def unplug(self) -> None:
        """Forget the machine and what was queued for it."""
        if self.machine is not None:
            self.machine.close()
        self.machine = None
        self.queue.clear()
        self.framing = Framing()

    def stop_capture(self) -> None:
        if self.capture:
            self.capture.close()
        self.capture = None


def listen(path: Path) -> socket.socket:
    """A non-blocking unix socket at `path`, in place of a stale one."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(os.fspath(path))
    server.listen(8)
    server.setblocking(False)
    return server


class Switch:
    """The event loop; `serve` runs until `stopping` is set."""

    def __init__(self, run: Path, names: tuple[str, ...]) -> None:
        self.fabric = Fabric(names)
        self.ports = {name: Port(name) for name in names}
        self.selector = selectors.DefaultSelector()
        self.later: list[tuple[float, int, str, bytes]] = []
        self.count = 0
        self.stopping = False
        for name in names:
            self.selector.register(listen(port_socket(run, name)), selectors.EVENT_READ, ("plug", name))
        self.selector.register(listen(control_socket(run)), selectors.EVENT_READ, ("control", ""))

    def serve(self) -> None:
        """Carry frames and obey orders until stopped."""
        while not self.stopping:
            timeout = max(0.0, self.later[0][0] - time.monotonic()) if self.later else 1.0
            for key, events in self.selector.select(timeout):
                kind, name = key.data
                if kind == "plug":
                    self._plug(key.fileobj, self.ports[name])
                elif kind == "control":
                    self._control(key.fileobj)
                elif kind == "order":
                    self._order(key.fileobj)
                elif self.ports[name].machine is key.fileobj:
                    self._machine(self.ports[name], events)
            self._due()

    def close(self) -> None:
        """Close every socket."""
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self.selector.close()

    def _plug(self, server: Any, port: Port) -> None:
        with contextlib.suppress(BlockingIOError):
            machine, _ = server.accept()
            self._unplug(port)
            machine.setblocking(False)
            port.machine = machine
            self.selector.register(machine, selectors.EVENT_READ, ("machine", port.name))

    def _unplug(self, port: Port) -> None:
        if port.machine is not None:
            self.selector.unregister(port.machine)
            port.unplug()

    def _machine(self, port: Port, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                assert port.machine is not None
                data = port.machine.recv(READ_BYTES)
                if not data:
                    self._unplug(port)
                    return
                self._forward(port, port.framing.feed(data))
            if events & selectors.EVENT_WRITE:
                self._flush(port)
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            self._unplug(port)

    def _forward(self, source: Port, frames: list[bytes]) -> None:
        touched = set()
        now = time.monotonic()
        for frame in frames:
            source.received += 1
            if source.capture:
                source.capture.record(frame)
            for name, delay in self.fabric.route(source.name, frame):
                if delay:
                    self.count += 1
                    heapq.heappush(self.later, (now + delay, self.count, name, frame))
                else:
                    self.ports[name].enqueue(frame)
                    touched.add(name)
        for name in touched:
            self._flush(self.ports[name])

    def _flush(self, port: Port) -> None:
        if port.machine is None:
            return
        try:
            more = port.flush()
        except OSError:
            self._unplug(port)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if more else 0)
        if self.selector.get_key(port.machine).events != events:
            self.selector.modify(port.machine, events, ("machine", port.name))

    def _due(self) -> None:
        now = time.monotonic()
        while self.later and self.later[0][0] <= now:
            _, _, name, frame = heapq.heappop(self.later)
            self.ports[name].enqueue(frame)
            self._flush(self.ports[name])

    def _control(self, server: Any) -> None:
        with contextlib.suppress(BlockingIOError):
            client, _ = server.accept()
            client.setblocking(False)
            self.selector.register(client, selectors.EVENT_READ, ("order", ""))

    def _order(self, client: Any) -> None:
        """One order a connection: small enough to come in one piece over a unix socket."""
        self.selector.unregister(client)
        with client, contextlib.suppress(OSError):
            try:
                answer = self.obey(json.loads(client.recv(CONTROL_BYTES_MAX)))
            except (ValueError, KeyError, TypeError, OSError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            client.sendall(json.dumps(answer).encode() + b"\n")

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one order: shape, capture, stop-capture or status."""
        match order["do"]:
            case "shape":
                pairs = [(source, target) for source, target in order["pairs"]]
                self.fabric.shape(pairs, Quality(**order.get("quality", {})))
            case "capture":
                port = self.ports[order["port"]]
                port.stop_capture()
                port.capture = Capture(Path(order["path"]))
            case "stop-capture":
                self.ports[order["port"]].stop_capture()
            case "status":
                return {"ports": self._counts(), "faults": self._faults()}
            case unknown:
                raise ValueError(f"unknown order {unknown!r}")
        return {}

    def _counts(self) -> dict[str, dict[str, int | bool]]:
        return {
            port.name: {
                "plugged": port.machine is not None,
                "received": port.received,
                "sent": port.sent,
                "dropped": port.dropped,
            }
            for port in self.ports.values()
        }

    def _faults(self) -> list[list[Any]]:
        return [[*pair, vars(quality)] for pair, quality in sorted(self.fabric.quality.items())]


def main() -> None:
    """switch.py RUN-FOLDER NAME...: serve until SIGTERM."""
    switch = Switch(Path(sys.argv[1]), tuple(sys.argv[2:]))

    def stop(_number: int, _frame: FrameType | None) -> None:
        switch.stopping = True

    signal.signal(signal.SIGTERM, stop)
    switch.serve()


if __name__ == "__main__":
    main()
