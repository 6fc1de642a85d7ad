"""The one way to run another program."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from nfsha_config.problems import CommandFailed

log = logging.getLogger(__name__)


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    stdin: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = 120,
) -> subprocess.CompletedProcess[str]:
    """Run argv without a shell and return what it printed.

    Secrets go through stdin, never through argv, which any user can read (proc(5), cmdline).

    timeout is in seconds. Raises CommandFailed when the program is missing, runs out of time, or (with
    check) exits with anything but 0.
    """
    words = [os.fspath(word) for word in argv]
    line = shlex.join(words)
    log.debug("run: %s", line)
    merged = None if env is None else {**os.environ, **env}
    try:
        done = subprocess.run(
            words, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", cwd=cwd, env=merged, timeout=timeout, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed; it was wanted for: {line}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"did not end within {timeout:g} s: {line}") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
        raise CommandFailed(f"exit status {done.returncode}: {line}\n  " + "\n  ".join(said[-20:]))
    return done


def start(argv: Sequence[str | Path]) -> subprocess.Popen[str]:
    """Start argv without a shell and leave it to itself; what it says of its errors can be read from it."""
    return subprocess.Popen(
        [os.fspath(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, errors="replace", env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
