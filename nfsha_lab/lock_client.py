"""One NFS client and the locks that it keeps, waits for or tries, while nothing else happens on it."""

from __future__ import annotations

import shlex

from nfsha_lab.errors import ProductError
from nfsha_lab.load import PROGRAM
from nfsha_lab.load import install as install_program
from nfsha_lab.machine import Machine

_ANSWER_SECONDS = 60.0
_OPEN_SECONDS = 120.0
_STATUS = "/run/keep"


class LockClient:
    """Locks of files in one directory of a mount; each file's lock is kept by a process of its own."""

    def __init__(self, machine: Machine, name: str, directory: str) -> None:
        self.machine = machine
        self.name = name
        self.directory = directory

    def hold(self, file: str, timeout: float = _OPEN_SECONDS) -> None:
        """Take the lock of a file (fcntl, all of it) and keep it; ProductError if another has it."""
        self._start(file, wait=False)
        self._until(file, ("holds",), timeout)

    def wait_for(self, file: str) -> None:
        """Begin to wait for the lock of a file, to keep it then; `holds` tells when it is had."""
        self._start(file, wait=True)
        self._until(file, ("waiting", "holds"), _OPEN_SECONDS)

    def holds(self, file: str) -> bool:
        """Whether it has been given the lock, as the client itself believes; nothing is asked of the server."""
        return self._word(file)[0] == "holds"

    def still_holds(self, file: str, timeout: float = _ANSWER_SECONDS) -> bool:
        """Use the file under the lock: whether that went well. ProductError if there is no answer in time."""
        uses = self._uses(file)
        self.machine.succeed(f"systemctl kill --kill-whom=main --signal=USR1 {self._unit(file)}")
        self.machine.poll(f"{self._title(file)}: used", lambda: self._uses(file) > uses, timeout)
        return self.holds(file)

    def let_go(self, file: str, timeout: float = _ANSWER_SECONDS) -> None:
        """Give the lock free."""
        self.machine.succeed(f"systemctl stop {self._unit(file)}", timeout)

    def try_lock(self, file: str, timeout: float = _ANSWER_SECONDS) -> bool:
        """Whether the lock could be had just now; it is given back at once."""
        path = shlex.quote(f"{self.directory}/{file}")
        # flock(1) would do, were flock(2) on NFS not another lock than that of a whole file by fcntl (nfs(5)).
        code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        done = self.machine.run(f'python3 -c "{code}" {path}', timeout)
        if done.status and "BlockingIOError" not in done.err and "PermissionError: [Errno 13]" not in done.err:
            raise ProductError(f"{self._title(file)}: cannot be tried: {done.err.strip().splitlines()[-1:]}")
        return done.status == 0

    def _start(self, file: str, wait: bool) -> None:
        install_program(self.machine)
        unit, status = self._unit(file), self._status(file)
        keep = f"--file {shlex.quote(f'{self.directory}/{file}')} --status {status}{' --wait' if wait else ''}"
        self.machine.succeed(
            f"mkdir -p {_STATUS} && rm -f {status}; systemctl reset-failed {unit} 2>/dev/null; "
            f"systemd-run --quiet --unit={unit} --property=TimeoutStopSec=60 /usr/bin/python3 {PROGRAM} keep {keep}"
        )

    def _until(self, file: str, words: tuple[str, ...], timeout: float) -> None:
        def said() -> bool:
            word = self._word(file)
            if word[0] == "refused":
                raise ProductError(f"{self._title(file)}: another has the lock")
            return word[0] in words

        self.machine.poll(f"{self._title(file)}: {' or '.join(words)}", said, timeout)

    def _word(self, file: str) -> list[str]:
        return self.machine.execute(f"cat {self._status(file)}")[1].split() or [""]

    def _uses(self, file: str) -> int:
        word = self._word(file)
        return int(word[1]) if len(word) > 1 else 0

    def _status(self, file: str) -> str:
        return f"{_STATUS}/{self.name}-{file}"

    def _unit(self, file: str) -> str:
        return f"keep-{self.name}-{file}.service"

    def _title(self, file: str) -> str:
        return f"{self.name}, lock of {file}"
