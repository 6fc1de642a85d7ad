"""Programs on the host: run to their end with a deadline, or known by a pid file and ended by pid."""

import os
import select
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab.errors import LabError


def run(
    command: Sequence[str | Path],
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """Run a host program and return what it printed; LabError with its last words if it fails.

    With `log`, its output goes there instead (and the returned text is empty).
    """
    words = [os.fspath(word) for word in command]
    try:
        if log:
            with log.open("ab") as sink:
                done = subprocess.run(
                    words, cwd=cwd, env=env, timeout=timeout, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
                )
        else:
            done = subprocess.run(
                words, cwd=cwd, env=env, timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True
            )
    except FileNotFoundError as error:
        raise LabError(f"{words[0]}: not found on this host; is its Debian package installed?") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"not finished within {timeout:g} s: {shlex.join(words)}") from error
    if done.returncode != 0:
        last = log.read_text(errors="replace") if log else (done.stdout + done.stderr).decode(errors="replace")
        where = f"\n(all of it: {log})" if log else ""
        tail = "\n".join(last.splitlines()[-25:])
        raise LabError(f"exit status {done.returncode}: {shlex.join(words)}\n{tail}{where}")
    return "" if log else done.stdout.decode(errors="replace")


@dataclass(frozen=True)
class Daemon:
    """A program of ours that outlives us, known by its pid file and by `mark`, a word of its command line."""

    pidfile: Path
    mark: str

    @property
    def pid(self) -> int | None:
        """The process id if it lives and is ours, else None: a pid file may be stale and the number used anew."""
        try:
            pid = int(self.pidfile.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.mark) in words else None

    def end(self, number: signal.Signals = signal.SIGTERM, timeout: float = 10.0) -> None:
        """Send the signal and wait until the process is gone, by SIGKILL if it outlasts `timeout` seconds."""
        pid = self.pid
        if pid is None:
            return
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            for sent in (number, signal.SIGKILL):
                try:
                    signal.pidfd_send_signal(handle, sent)
                except ProcessLookupError:
                    break
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                if poll.poll(timeout * 1000):
                    break
            else:
                raise LabError(f"process {pid} ({self.mark}) does not end, not even by SIGKILL")
        finally:
            os.close(handle)
        self.pidfile.unlink(missing_ok=True)
