"""What must hold at every moment of a story is checked while everything else waits."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nfsha_lab.errors import LabError, ProductError


class Watch:
    """The invariants in force; `check` is called at each poll of each wait."""

    def __init__(self) -> None:
        self._invariants: dict[str, Callable[[], bool]] = {}
        self._violation: LabError | None = None
        self._lock = threading.RLock()

    def check(self) -> None:
        """Raise the first violation seen, here or in the background; else look anew."""
        with self._lock:
            if self._violation is not None:
                raise self._violation
            for name, holds in list(self._invariants.items()):
                self._look(name, holds)
            if self._violation is not None:
                raise self._violation

    def _look(self, name: str, holds: Callable[[], bool]) -> None:
        with self._lock:
            if self._violation is not None:
                return
            try:
                if not holds():
                    self._violation = ProductError(f"invariant violated: {name}")
            except LabError as error:
                kind = ProductError if isinstance(error, ProductError) else LabError
                self._violation = kind(f"invariant {name!r}: {error}")

    def _background(self, name: str, interval: float, done: threading.Event) -> None:
        while not done.wait(interval):
            with self._lock:
                holds = self._invariants.get(name)
                if holds is not None:
                    self._look(name, holds)

    @contextmanager
    def invariant(self, name: str, holds: Callable[[], bool], interval: float) -> Iterator[None]:
        """Keep an invariant for the length of a block; see Lab.invariant."""
        done = threading.Event()
        thread = threading.Thread(target=self._background, args=(name, interval, done), daemon=True)
        self._invariants[name] = holds
        thread.start()
        try:
            yield
            self.check()
        finally:
            done.set()
            thread.join()
            self._invariants.pop(name, None)
            if not self._invariants:
                self._violation = None
