"""One machine as a story tells of it, in the vocabulary of the NixOS test driver."""

import os
import shlex
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab.agent import Agent, AgentError, Completed
from nfsha_lab.cable import Network
from nfsha_lab.deadline import Deadline
from nfsha_lab.errors import LabError, ProductError
from nfsha_lab.qemu import Qemu

# `nfsha switchover` may take 120 s (nfsha-switchover.service), and looks at both nodes before.
COMMAND_SECONDS = 240.0

# A command that its own unit runs, and what it came to.
_APART = "/run/lab-apart"
_RUN_APART = f"""(. {_APART}/command) </dev/null >{_APART}/out 2>&1
echo $? >{_APART}/new
mv {_APART}/new {_APART}/status
"""
WAIT_SECONDS = 120.0

# Emulated, four at once on two busy cores, a Debian has needed up to 230 s.
BOOT_SECONDS = 600.0
_PANICKED = "end Kernel panic - not syncing"
_LAST_WORDS = 80
"""Lines of a console: a panic's are many, and the first one says why."""


def _no_watch() -> None:
    """Nothing is watched while waiting."""


@dataclass(frozen=True)
class UnitState:
    """What systemd says of a unit; `job` is true while something is queued or running for it."""

    active: str
    sub: str
    result: str
    job: bool


class Machine:
    """A machine of the laboratory: switched on and off, cut off, and asked, without using the tested network."""

    def __init__(self, qemu: Qemu, network: Network, watch: Callable[[], None] = _no_watch) -> None:
        self.name = qemu.name
        self.address = qemu.host.address
        self.qemu = qemu
        self.network = network
        self.agent = Agent(qemu.agent_socket, qemu.name)
        self._watch = watch

    def __repr__(self) -> str:
        return f"<Machine {self.name}>"

    # Power.

    def start(self, paused: bool = False) -> None:
        """Switch on, with the disks as they are; returns when QEMU runs, see wait_until_up for the guest."""
        self.agent.reset()
        self.network.start()
        self.qemu.start(paused)

    def crash(self) -> None:
        """Simulate a sudden power failure: QEMU is killed. What the guest had flushed stays on its disks."""
        self.qemu.kill()
        self.agent.reset()

    def freeze(self) -> None:
        """Stop the machine in mid-instruction while the world's time goes on, as a stuck hypervisor does."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen machine go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.qemu.daemon.pid
        if pid is None:
            raise LabError(f"{self.name}: is not running")
        os.kill(pid, number)

    def shutdown(self, timeout: float = WAIT_SECONDS) -> None:
        """Ask the guest to power off and wait until QEMU ended; ProductError if the guest does not in time."""
        self._leave("poweroff")
        self.poll("powering off", lambda: not self.running, timeout)
        self.agent.reset()

    def reboot(self, timeout: float = BOOT_SECONDS) -> None:
        """Reboot from inside and wait for the agent of the new boot."""
        before = self.boot_id()
        self._leave("reboot")
        self.wait_until_up(timeout, not_boot=before)

    def _leave(self, verb: str) -> None:
        """Only begin it: the agent may be stopped before it could tell how the command ended."""
        self.agent.begin(f"systemctl --no-block {verb}")
        self.agent.reset()

    @property
    def running(self) -> bool:
        """Whether its QEMU lives (frozen or not)."""
        return self.qemu.daemon.pid is not None

    @property
    def state(self) -> str:
        """One word for a table: off, frozen, paused or on."""
        pid = self.qemu.daemon.pid
        if pid is None:
            return "off"
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt":
            return "frozen"
        return "on" if self.qemu.qmp.running else "paused"

    @property
    def panicked(self) -> bool:
        """Whether its kernel stands still for good: what it says then is the last of all (kernel/panic.c)."""
        return _PANICKED in self.console().rstrip().rpartition("\n")[2]

    def boot_id(self) -> str:
        """The kernel's random name for the present boot."""
        return self.agent.read("/proc/sys/kernel/random/boot_id").decode().strip()

    def wait_until_up(self, timeout: float = BOOT_SECONDS, not_boot: str = "") -> None:
        """Wait until the guest's agent answers (in a boot other than `not_boot`); LabError if QEMU ends or never."""
        deadline = Deadline(timeout)
        for _ in deadline.polls(0.5):
            self._watch()
            if not self.running:
                words = self.qemu.errors.read_text(errors="replace").strip().splitlines()[-5:]
                raise LabError(f"{self.name}: QEMU ended while the machine booted\n" + "\n".join(words))
            if self.panicked:
                raise LabError(f"{self.name}: its kernel panicked; its console's last words:\n{self._last_words()}")
            try:
                if self.agent.ping() and (not not_boot or self.boot_id() != not_boot):
                    return
            except AgentError:
                continue
        raise LabError(f"{self.name}: not up within {timeout:g} s; its console's last words:\n{self._last_words()}")

    def wait_until_booted(self, timeout: float = BOOT_SECONDS) -> str:
        """Wait until systemd has finished starting; returns "running", or "degraded" if a unit failed."""
        deadline = Deadline(timeout)
        self.wait_until_up(timeout)
        command = "systemctl is-system-running --wait"
        while True:
            done = self.agent.execute(command, max(1.0, deadline.remaining))
            state = done.out.strip()
            if state in ("running", "degraded"):
                return state
            deadline.check(f"{self.name}: end of the boot, systemd says {state or done.err.strip()!r}", ProductError)
            time.sleep(0.5)

    # Commands.

    def run(self, command: str, timeout: float = COMMAND_SECONDS) -> Completed:
        """Run by /bin/sh -c as root; status and both outputs. ProductError if it outlasts `timeout` seconds."""
        return self.agent.execute(command, timeout)

    def run_apart(self, command: str, timeout: float) -> Completed:
        """As `run`, but by systemd, with one output: an upgrade of the agent ends all that the agent began."""
        self.succeed(f"rm -rf {_APART}")
        self.write_file(f"{_APART}/command", f"{command}\n", 0o600)
        self.write_file(f"{_APART}/run", _RUN_APART)
        self.succeed(f"systemd-run --quiet --collect --setenv=HOME=/root --setenv=LC_ALL=C.UTF-8 /bin/sh {_APART}/run")
        self.poll(f"the end of: {command}", lambda: bool(self._read_apart("status")), timeout)
        return Completed(int(self._read_apart("status")), self.read_file(f"{_APART}/out").decode(errors="replace"), "")

    def _read_apart(self, name: str) -> bytes:
        """Empty while there is no such file, or no agent."""
        try:
            return self.read_file(f"{_APART}/{name}")
        except AgentError:
            return b""

    def execute(self, command: str, timeout: float = COMMAND_SECONDS) -> tuple[int, str]:
        """Run a command; its exit status and standard output."""
        done = self.run(command, timeout)
        return done.status, done.out

    def succeed(self, command: str, timeout: float = COMMAND_SECONDS) -> str:
        """Run a command that must succeed and return its standard output; else ProductError with all it said."""
        done = self.run(command, timeout)
        if done.status != 0:
            raise ProductError(self._failure(command, done))
        return done.out

    def fail(self, command: str, timeout: float = COMMAND_SECONDS) -> str:
        """Run a command that must not succeed and return its standard output; else ProductError."""
        done = self.run(command, timeout)
        if done.status == 0:
            raise ProductError(f"{self.name}: succeeded, which it must not: {command}\n{done.out}")
        return done.out

    def _failure(self, command: str, done: Completed) -> str:
        said = "\n".join((done.out + done.err).splitlines()[-40:])
        return f"{self.name}: exit status {done.status}: {command}\n{said}"

    # Waiting.

    def poll(self, what: str, condition: Callable[[], bool], timeout: float, interval: float = 0.3) -> None:
        """Wait until `condition` holds, checking the story's invariants at each try; ProductError if it never does."""
        deadline = Deadline(timeout)
        for _ in deadline.polls(interval, 1.0):
            self._watch()
            if condition():
                return
        raise ProductError(f"{self.name}: {what}: not within {timeout:g} s")

    def _until(self, command: str, timeout: float, wanted: Callable[[int], bool], verb: str) -> str:
        deadline = Deadline(timeout)
        done = Completed(0, "", "")
        for _ in deadline.polls(0.3, 1.0):
            self._watch()
            done = self.run(command, max(5.0, deadline.remaining))
            if wanted(done.status):
                return done.out
        raise ProductError(f"{verb} within {timeout:g} s; last: {self._failure(command, done)}")

    def wait_until_succeeds(self, command: str, timeout: float = WAIT_SECONDS) -> str:
        """Repeat a command until it succeeds and return its standard output; ProductError after `timeout` seconds."""
        return self._until(command, timeout, lambda status: status == 0, "did not succeed")

    def wait_until_fails(self, command: str, timeout: float = WAIT_SECONDS) -> str:
        """Repeat a command until it fails and return its standard output; ProductError after `timeout` seconds."""
        return self._until(command, timeout, lambda status: status != 0, "did not fail")

    def unit_state(self, unit: str) -> UnitState:
        """What systemd says of a unit."""
        text = self.succeed(f"systemctl show -p ActiveState,SubState,Result,Job {shlex.quote(unit)}")
        value = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        job = value.get("Job", "0") not in ("", "0")
        return UnitState(value["ActiveState"], value["SubState"], value.get("Result", ""), job)

    def wait_for_unit(self, unit: str, timeout: float = WAIT_SECONDS) -> None:
        """Wait until a unit is active; ProductError at once if it failed, or is inactive and nothing starts it."""

        def active() -> bool:
            state = self.unit_state(unit)
            if state.active == "failed" or (state.active == "inactive" and not state.job):
                why = "" if state.active == "failed" else ", and no job is queued that would start it"
                log = self.execute(f"journalctl --no-pager -n 30 -u {shlex.quote(unit)}")[1]
                raise ProductError(f"{self.name}: {unit} is {state.active} ({state.result}){why}\n{log}")
            return state.active == "active"

        self.poll(f"{unit} active", active, timeout)

    def wait_for_file(self, path: str, timeout: float = WAIT_SECONDS) -> None:
        """Wait until a path exists in the machine."""
        self.wait_until_succeeds(f"test -e {shlex.quote(path)}", timeout)

    def clock_ahead(self) -> float:
        """Seconds by which its time of day is ahead of the host's; a restored machine's is behind."""
        return self.agent.clock_ahead()

    # Files.

    def read_file(self, path: str) -> bytes:
        """The content of a file in the machine."""
        return self.agent.read(path)

    def write_file(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file in the machine, making its folder; it never exists with a wider mode than `mode`."""
        data = content.encode() if isinstance(content, str) else content
        place = shlex.quote(path)
        self.succeed(f'mkdir -p "$(dirname {place})" && install -m {mode:o} /dev/null {place}')
        self.agent.write(path, data)

    def copy_in(self, source: Path, target: str) -> None:
        """Copy a file of the host into the machine, with its mode."""
        self.write_file(target, source.read_bytes(), source.stat().st_mode & 0o777)

    def copy_out(self, source: str, target: Path) -> None:
        """Copy a file of the machine to the host."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.read_file(source))

    # The network under test.

    def block(self) -> None:
        """Unplug eth1 at the switch: nothing comes or goes, and the guest sees no change of its link."""
        self.network.cut(self.name)

    def unblock(self) -> None:
        """Plug eth1 in again."""
        self.network.join(self.name)

    @property
    def blocked(self) -> bool:
        """Whether nothing comes or goes by eth1."""
        return self.network.alone(self.name)

    # Witnesses.

    def journal(self, arguments: str = "--boot") -> str:
        """The journal as text; `arguments` go to journalctl, for example "--boot=-1" or "--since=-5min --unit=X"."""
        return self.succeed(f"journalctl --no-pager -o short-precise {arguments}")

    def failed_units(self) -> list[str]:
        """The names of the units in state failed."""
        text = self.succeed("systemctl list-units --state=failed --plain --no-legend --no-pager")
        return [line.split()[0] for line in text.splitlines() if line.strip()]

    def console(self) -> str:
        """All that the machine has written to its serial console, over all boots."""
        return self.qemu.console.read_text(errors="replace") if self.qemu.console.exists() else ""

    def _last_words(self) -> str:
        return "\n".join(self.console().splitlines()[-_LAST_WORDS:])
