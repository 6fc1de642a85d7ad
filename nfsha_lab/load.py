"""The workload on the client, driven from the host: start, wait until it writes, stop, judge."""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nfsha_lab.cluster import DATA, MOUNT, WORK, Cluster
from nfsha_lab.errors import ProductError
from nfsha_lab.log import say, step
from nfsha_lab.machine import Machine
from nfsha_lab.workload.bundle import bundle
from nfsha_lab.workload.history import History, parse

PROGRAM = "/root/workload.pyz"
"""Where the workload lies in a machine."""

_UNIT = "workload.service"
_CACHED_SECONDS = 120.0
_STOP_SECONDS = 120.0


@dataclass(frozen=True)
class Verdict:
    """What the checker said: as a table for people, and as its JSON."""

    text: str
    data: dict[str, Any]

    @property
    def green(self) -> bool:
        """Nothing acknowledged was lost, no lock, no error, nothing torn."""
        return bool(self.data["green"])

    def stall(self, kind: str) -> float:
        """Seconds of the longest stall of a kind of operation."""
        return float(self.data["operations"][kind]["stall_s"])

    def assert_green(self) -> None:
        """Raise ProductError with the whole table if it is not."""
        if not self.green:
            raise ProductError(f"the checker is red:\n{self.text}")


class Load:
    """One run of the workload. Each run has its own log on the client's own disk."""

    def __init__(self, cluster: Cluster, name: str, *options: str) -> None:
        self.cluster = cluster
        self.client: Machine = cluster.client
        self.directory = f"{MOUNT}/{WORK}"
        self.log = f"/root/{name}.jsonl"
        self.options = " ".join(options)

    def start(self) -> None:
        """Start it and wait until each kind of operation has been done once."""
        install(self.client)
        # A client may remember for a minute that a directory was not there (acdirmax, nfs(5)).
        self.client.wait_until_succeeds(f"test -d {self.directory}", _CACHED_SECONDS)
        self.client.succeed(f"rm -f {self.log}; systemctl reset-failed {_UNIT} 2>/dev/null || true")
        self.client.succeed(
            f"systemd-run --quiet --unit={_UNIT} --property=KillMode=mixed --property=TimeoutStopSec=60 "
            f"/usr/bin/python3 {PROGRAM} run --dir {self.directory} --log {self.log} {self.options}"
        )
        self.wait_until_writes()

    def wait_until_writes(self, timeout: float = 240.0, within: float = 8.0) -> None:
        """Wait until every kind of operation finished one in the last seconds, and since this call."""
        begin = time.monotonic()

        def writes() -> bool:
            if self.client.execute(f"systemctl is-active --quiet {_UNIT}")[0] != 0:
                log = self.client.execute(f"journalctl --no-pager -o cat -n 20 -u {_UNIT}")[1]
                raise ProductError(f"the workload ended by itself:\n{log}")
            age = max(0.1, min(within, time.monotonic() - begin))
            return self.client.execute(f"python3 {PROGRAM} status --log {self.log} --within {age:.1f}")[0] == 0

        with step("waiting until the client writes"):
            self.client.poll("every kind of operation goes on", writes, timeout)

    def status(self) -> str:
        """One line: how it gets on."""
        return self.client.execute(f"python3 {PROGRAM} status --log {self.log}")[1].strip()

    def silence(self) -> tuple[int, float]:
        """Operations so far, and seconds since the last finished write."""
        line = self.status()
        count = re.search(r"operations (\d+)", line)
        age = re.search(r"write ([0-9.]+) s", line)
        return int(count[1]) if count else 0, float(age[1]) if age else 0.0

    def stop(self) -> None:
        """End it; operations that hang are left behind and reported by the checker."""
        self.client.succeed(f"systemctl stop {_UNIT}", _STOP_SECONDS)

    def check(self, crash: bool = False) -> Verdict:
        """Judge the run by its log and what the serving node has on the shared disk: no client cache in between.

        `crash`: a serving node lost its memory, and with it may have lost names acknowledged in its last second.
        """
        active = self.cluster.serving()
        install(active)
        with tempfile.TemporaryDirectory() as folder:
            for machine, command, name in (
                (self.client, f"cat {self.log}", "workload.jsonl"),
                (self.client, "dmesg", "kernel.log"),
            ):
                machine.succeed(f"{command} >/root/{name}.out")
                machine.copy_out(f"/root/{name}.out", Path(folder) / name)
                active.copy_in(Path(folder) / name, f"/root/{name}")
        logs = "--log /root/workload.jsonl --kernel-log /root/kernel.log"
        command = f"python3 {PROGRAM} check --dir {DATA}/{WORK} {logs}{' --crash' if crash else ''}"
        done = active.run(f"{command} --json", 300)
        if done.status not in (0, 1):
            raise ProductError(f"the checker could not judge: {done.err or done.out}")
        data = json.loads(done.out)
        return Verdict(data.pop("text"), data)

    def history(self) -> History:
        """What it did, by its log, after `stop`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log"
            self.client.copy_out(self.log, path)
            return parse(path.read_text(errors="replace").splitlines())

    def stop_and_check(self, crash: bool = False) -> Verdict:
        """End the run, judge it, say the verdict, and raise ProductError when it is red."""
        self.stop()
        verdict = self.check(crash)
        say(verdict.text)
        verdict.assert_green()
        return verdict


def install(machine: Machine) -> None:
    """Put the program on a machine; it needs nothing but Python."""
    with tempfile.TemporaryDirectory() as folder:
        machine.copy_in(bundle(Path(folder) / "workload.pyz"), PROGRAM)


def make_directory(cluster: Cluster) -> None:
    """The workload's own directory; root on the client is nobody on the server (root_squash, exports(5))."""
    active = cluster.serving()
    active.succeed(f"install -d -o nobody -g nogroup -m 0755 {DATA}/{WORK}")
