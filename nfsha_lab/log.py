"""Long work says what it is doing and how long it took, on the standard error."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT_SECONDS = 30.0

_nesting = threading.local()


def _depth() -> int:
    return int(getattr(_nesting, "depth", 0))


def say(text: str) -> None:
    """Print one line, indented below the steps it belongs to."""
    print(f"{'  ' * _depth()}{text}", file=sys.stderr, flush=True)


def _beat(text: str, start: float, done: threading.Event, depth: int) -> None:
    tty = sys.stderr.isatty()
    while not done.wait(1.0 if tty else HEARTBEAT_SECONDS):
        elapsed = time.monotonic() - start
        if tty:
            print(f"\r{'  ' * depth}{text} … {elapsed:.0f} s ", end="", file=sys.stderr, flush=True)
        else:
            print(f"{'  ' * depth}{text} … {elapsed:.0f} s", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce `text`, show seconds while it lasts, and at its end how long it took or that it failed."""
    depth = _depth()
    start = time.monotonic()
    done = threading.Event()
    say(f"{text} …")
    beat = threading.Thread(target=_beat, args=(text, start, done, depth), daemon=True)
    beat.start()
    _nesting.depth = depth + 1
    outcome = "failed after"
    try:
        yield
        outcome = "done in"
    finally:
        _nesting.depth = depth
        done.set()
        beat.join()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)
        say(f"{text}: {outcome} {time.monotonic() - start:.1f} s")
