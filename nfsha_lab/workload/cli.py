"""The command line: parses, calls, prints, and turns what happened into an exit status."""

import argparse
import json
import os
import re
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from . import evidence, keeper, probe, report, status
from .errors import WorkloadError
from .history import History, parse
from .oplog import OperationLog, boot_id
from .supervisor import Supervisor
from .verdict import judge
from .worker import Settings

GREEN, RED, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 for yes or green, 1 for no or red, 2 where it could not be told."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.command(options)
    except WorkloadError as error:
        print(f"nfsha-workload: {error}", file=sys.stderr)
        return UNUSABLE
    except BrokenPipeError:
        # The reader of our output has enough; Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNUSABLE
    return code


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}: want a number of seconds above 0")
    return value


def _writers(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r}: want 0 to 100")
    return value


def _run_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-z]{8}", text):
        raise argparse.ArgumentTypeError(f"{text!r}: want 8 of 0-9 and a-z")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nfsha-workload", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="load a directory until told to stop"))
    _add_status(commands.add_parser("status", help="one line on how a running load gets on"))
    _add_check(commands.add_parser("check", help="judge a run that has ended"))
    _add_probe(commands.add_parser("probe", help="try the lock of a running load, on any client"))
    _add_keep(commands.add_parser("keep", help="keep the lock of a file and do nothing until told"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--dir", type=Path, required=True, help="existing directory of your own, on the mount")
    option("--log", type=Path, required=True, help="new file on a local disk")
    option("--writers", type=_writers, default=3, help="writers that append (default: 3)")
    option("--seconds", type=_seconds, help="how long (default: until SIGTERM or SIGINT)")
    option("--pause", type=_seconds, default=0.05, help="seconds between operations (default: 0.05)")
    option("--idle", action="store_true", help="take a lock, do nothing until the end, then use it once")
    option("--stop-timeout", type=_seconds, default=30.0, help="seconds until one counts as hung (default: 30)")
    option("--run", type=_run_id, help="id of the run, 8 of 0-9 and a-z (default: random)")
    option("--sabotage", choices=("drop-lock", "skip-fsync"), help="break it on purpose, to see red")
    parser.set_defaults(command=_run)


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--within", type=_seconds, help="fail if an operation's last end is longer ago")
    parser.add_argument("--kind", action="append", default=[], help="look at this kind only (repeatable)")
    parser.set_defaults(command=_status)


def _add_check(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--dir", type=Path, required=True, help="best seen from the server or another client")
    option("--log", type=Path, required=True)
    option("--kernel-log", type=Path, help="the client's kernel log (dmesg), for locks that it says it lost")
    option("--json", action="store_true", help="print JSON")
    option("--bucket", type=_seconds, default=1.0, help="seconds of a bucket of the timeline (default: 1)")
    option("--crash", action="store_true", help="a server crashed: names it acknowledged last may be undone")
    option("--drop-caches", action="store_true", help="first make the kernel forget what it cached")
    parser.set_defaults(command=_check)


def _add_probe(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--dir", type=Path, required=True)
    option("--run", type=_run_id, help="which run, if the directory has several")
    option("--timeout", type=_seconds, default=30.0, help="seconds to wait for an answer (default: 30)")
    option("--wait", action="store_true", help="wait for the lock; fail if it is not ours in time")
    parser.set_defaults(command=_probe)


def _add_keep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, required=True, help="made where it does not exist")
    parser.add_argument("--status", type=Path, required=True, help="file on a local disk for the last word")
    parser.add_argument("--wait", action="store_true", help="wait for the lock; else be refused at once")
    parser.set_defaults(command=_keep)


def _run(options: argparse.Namespace) -> int:
    directory, path = Path(os.path.abspath(options.dir)), Path(os.path.abspath(options.log))
    if path.is_relative_to(directory):
        raise WorkloadError(f"{path}: lies in the directory under load; the log must be on a local disk")
    settings = Settings(
        directory=directory,
        run=options.run or secrets.token_hex(4),
        writers=options.writers,
        pause=options.pause,
        idle=options.idle,
        sabotage=options.sabotage,
    )
    log = OperationLog(path)
    print(f"run {settings.run} in {directory}, log {path}", flush=True)
    failed = Supervisor(settings, log, options.stop_timeout).run(options.seconds)
    for name, reason in failed.items():
        print(f"nfsha-workload: {name}: {reason}", file=sys.stderr)
    return RED if failed else GREEN


def _status(options: argparse.Namespace) -> int:
    found = status.read(options.log)
    print(found)
    return RED if options.within and not found.within(options.within, options.kind) else GREEN


def _read_history(path: Path) -> History:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return parse(file)
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror}") from None
    except WorkloadError as error:
        raise WorkloadError(f"{path}: {error}") from None


def _still_runs(history: History) -> bool:
    header = history.header
    return history.stop is None and header.boot == boot_id() and Path(f"/proc/{header.pid}").exists()


def _check(options: argparse.Namespace) -> int:
    history = _read_history(options.log)
    if _still_runs(history):
        raise WorkloadError(f"{options.log}: the run goes on; stop process {history.header.pid} first")
    kernel: list[str] = []
    if options.kernel_log:
        try:
            kernel = options.kernel_log.read_text(errors="replace").splitlines()
        except OSError as error:
            raise WorkloadError(f"{options.kernel_log}: {error.strerror}") from None
    if options.drop_caches:
        evidence.drop_caches()
    verdict = judge(history, evidence.collect(options.dir, history.header.run), kernel, crash=options.crash)
    text = report.as_text(history, verdict)
    if options.json:
        print(json.dumps({**report.as_json(history, verdict, options.bucket), "text": text}, indent=1))
    else:
        print(text)
    return GREEN if verdict.green else RED


def _probe(options: argparse.Namespace) -> int:
    answer = probe.probe(options.dir, options.run, options.timeout, options.wait)
    if options.wait:
        print(f"{'got the lock' if answer.free else 'did not get the lock'} after {answer.seconds:.2f} s")
        return GREEN if answer.free else RED
    if answer.free is None:
        raise WorkloadError(f"{options.dir}: no answer within {options.timeout:g} s")
    print(f"{'free' if answer.free else 'held'} ({answer.seconds:.2f} s)")
    return RED if answer.free else GREEN


def _keep(options: argparse.Namespace) -> int:
    return GREEN if keeper.keep(options.file, options.status, options.wait) else RED
