"""Starts the workers, watches and ends them; touches nothing but the local log, so that it never hangs."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from . import holder, namer, prober, writer
from .errors import WorkloadError
from .oplog import OperationLog
from .worker import Settings, Worker

# Exit status of a worker that could not do its work for a reason it has told the user.
UNABLE = 3
FLUSH_EVERY = 1.0
CLOCK_EVERY = 10.0
# What a process that was killed gets to disappear: NFS waits are killable, a broken mount's may not be.
AFTER_KILL = 2.0
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}


@dataclass(frozen=True)
class Role:
    """What a worker does, and the kinds of operation it repeats."""

    work: Callable[[Worker], None]
    kinds: tuple[str, ...]


def roles(settings: Settings) -> dict[str, Role]:
    """The workers of a run by name; an idle run only holds its lock."""
    held = Role(holder.work, () if settings.idle else holder.KINDS)
    if settings.idle:
        return {holder.NAME: held}
    writers = {f"writer-{number}": Role(writer.work, writer.KINDS) for number in range(settings.writers)}
    others = {prober.NAME: Role(prober.work, prober.KINDS), namer.NAME: Role(namer.work, namer.KINDS)}
    return {**writers, holder.NAME: held, **others}


@dataclass
class Supervisor:
    """One run, from the first worker to the last; `run` gives what went wrong with which worker."""

    settings: Settings
    log: OperationLog
    stop_timeout: float
    _alive: dict[int, str] = field(default_factory=dict)
    _failed: dict[str, str] = field(default_factory=dict)
    _unable: bool = False

    def run(self, seconds: float | None) -> Mapping[str, str]:
        """Run for so many seconds, or until SIGTERM or SIGINT; a worker that cannot start ends it too."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        crew = roles(self.settings)
        self.log.header(self.settings.run, _facts(self.settings, crew))
        for name, role in crew.items():
            self._start(name, role)
        reason = self._watch(None if seconds is None else time.monotonic() + seconds)
        self._end()
        self.log.stop(reason)
        self.log.flush()
        return self._failed

    def _start(self, name: str, role: Role) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _become(name, role, self.settings, self.log)
        self._alive[pid] = name
        self.log.fate(name, "started", {"pid": pid})

    def _watch(self, until: float | None) -> str:
        """Wait for the end of the time, a signal or the last worker; the reason in a word."""
        clock_due = time.monotonic() + CLOCK_EVERY
        while self._alive and not self._unable:
            left = FLUSH_EVERY if until is None else min(FLUSH_EVERY, until - time.monotonic())
            if left <= 0:
                return "time"
            told = signal.sigtimedwait(_SIGNALS, left)
            if told is not None and told.si_signo != signal.SIGCHLD:
                return signal.Signals(told.si_signo).name
            self._reap()
            self.log.flush()
            if time.monotonic() >= clock_due:
                self.log.clock()
                clock_due += CLOCK_EVERY
        return "workers gone"

    def _end(self) -> None:
        """Tell all workers to stop; report as hung whoever does not within the deadline, and kill it."""
        self._send(signal.SIGTERM)
        self._wait(self.stop_timeout)
        for name in self._alive.values():
            self._failed[name] = "hung"
            self.log.fate(name, "hung", {"waited": self.stop_timeout})
        self._send(signal.SIGKILL)
        self._wait(AFTER_KILL)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._alive:
            os.kill(pid, number)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while True:
            self._reap()
            left = until - time.monotonic()
            if not self._alive or left <= 0:
                return
            signal.sigtimedwait({signal.SIGCHLD}, min(left, 0.2))

    def _reap(self) -> None:
        for pid in tuple(self._alive):
            gone, status = os.waitpid(pid, os.WNOHANG)
            if gone == 0:
                continue
            name = self._alive.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            self._unable = self._unable or code == UNABLE
            if self._failed.get(name) == "hung":
                continue
            self.log.fate(name, "died" if code else "stopped", {"code": code})
            if code:
                self._failed[name] = f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def _facts(settings: Settings, crew: Mapping[str, Role]) -> dict[str, object]:
    return {
        "dir": os.fspath(settings.directory),
        "pid": os.getpid(),
        "pause": settings.pause,
        "idle": settings.idle,
        "sabotage": settings.sabotage,
        "workers": {name: role.kinds for name, role in crew.items()},
    }


def _become(name: str, role: Role, settings: Settings, log: OperationLog) -> NoReturn:
    """The life of a worker's process; it never returns into the supervisor's code."""
    code = 1
    try:
        worker = Worker(name, settings, log)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        role.work(worker)
        code = 0
    except WorkloadError as error:
        print(f"nfsha-workload: {error}", file=sys.stderr)
        code = UNABLE
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
