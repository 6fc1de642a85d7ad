"""A program in a real terminal (tmux), and a person before it who answers debconf's questions."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_PATIENCE = 120.0
_LOOK = 0.1
COLUMNS, LINES = 80, 24
"""The terminal that every dialog has to fit in."""


class Terminal:
    """What is on the screen, and the keys."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "tmux"
        self.result = folder / "status"

    def tmux(self, *words: str) -> str:
        """Ask this terminal's own tmux."""
        argv = ["tmux", "-u", "-f", "/dev/null", "-S", str(self.socket), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    @property
    def screen(self) -> str:
        """The screen as it is now."""
        return self.tmux("capture-pane", "-p", "-t", "0")

    @property
    def ended(self) -> bool:
        """Whether the program has ended."""
        return self.result.exists()

    def status(self) -> int:
        """The exit status of a program that has ended."""
        return int(self.result.read_text(encoding="utf-8"))

    def press(self, *keys: str) -> None:
        """Keys by tmux's names."""
        self.tmux("send-keys", "-t", "0", *keys)

    def type(self, text: str) -> None:
        """A text as it is."""
        self.tmux("send-keys", "-l", "-t", "0", "--", text)

    def wait(self, happened: Callable[[], bool], what: str) -> None:
        """Look until it has happened."""
        deadline = time.monotonic() + _PATIENCE
        while not happened():
            assert time.monotonic() < deadline, f"waited for {what}; the screen:\n{self.screen}"
            time.sleep(_LOOK)


# The program's end is noted here, and not asked of tmux, which misses it at times: the program stays a zombie then, and its
# pane is dead without a status (tmux 3.3a). The screen stays until tmux is told to go.
_NOTE = '"$@"; echo "$?" >"$0.new"; mv "$0.new" "$0"; exec sleep infinity'


@contextmanager
def terminal(argv: Sequence[str]) -> Iterator[Terminal]:
    """argv in a terminal of its own; the screen stays when it ends."""
    # A socket of its own, since tmux takes the old one away a moment after it was told to go. In a short path (unix(7)).
    with tempfile.TemporaryDirectory(prefix="terminal.") as folder:
        one = Terminal(Path(folder))
        one.tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), "sh", "-c", _NOTE, str(one.result), *argv)
        try:
            yield one
        finally:
            one.tmux("kill-server")


BACK, YES, NEXT = "<back>", "<yes>", "<the second choice>"
"""Answers that each frontend has its own keys for."""


@dataclass(frozen=True)
class Keys:
    """How one frontend is used: the environment that chooses it, what is pressed, and whether it draws boxes.

    clear empties the field.
    """

    env: Mapping[str, str]
    clear: tuple[str, ...]
    back: tuple[str, ...]
    yes: tuple[str, ...]
    next: tuple[str, ...]
    boxes: bool

    def asked(self, screen: str) -> str:
        """What the program asks now: of a box all of it, of lines the last one."""
        if self.boxes:
            return re.sub(r"[\s\u2502]+", " ", screen)
        return ([line for line in screen.splitlines() if line.strip()] or [""])[-1]

    def give(self, one: Terminal, answer: str | None) -> None:
        """Press what an answer takes; None takes the default."""
        if answer == BACK:
            one.press(*self.back)
            return
        if answer in (YES, NEXT):
            clear = () if self.boxes else self.clear
            one.press(*clear, *(self.yes if answer == YES else self.next))
        elif answer is not None:
            one.press(*self.clear)
            one.type(answer)
        one.press("Enter")


_LINES = ("y",), ("2",), False
FRONTENDS = {
    "whiptail": Keys({"DEBIAN_FRONTEND": "dialog"}, ("Home", "C-k"), ("Escape",), ("Tab",), ("Down",), True),
    "dialog": Keys(
        {"DEBIAN_FRONTEND": "dialog", "DEBCONF_FORCE_DIALOG": "1"}, ("C-u",), ("Escape",), ("Tab",), ("Down",), True
    ),
    # With libterm-readline-gnu-perl: without it, debconf's readline shows no default and has no way back.
    "readline": Keys({"DEBIAN_FRONTEND": "readline"}, ("C-a", "C-k"), ("PPage",), *_LINES),
}


@dataclass
class Person:
    """Answers what is asked, knowing it by its prompt, and takes the default of all else.

    answers holds a list for each prompt, with an answer for each time that it is shown.
    """

    keys: Keys
    prompts: Sequence[str]
    answers: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    screens: dict[str, str] = field(default_factory=dict)

    def answer(self, one: Terminal) -> None:
        """Until the program ends."""
        todo = {prompt: list(answers) for prompt, answers in self.answers.items()}
        prompt = self._next(one, None)
        while prompt is not None:
            self.seen.append(prompt)
            self.screens[prompt] = one.screen
            self.keys.give(one, todo[prompt].pop(0) if todo.get(prompt) else None)
            prompt = self._next(one, prompt)
        assert one.status() == 0, one.screen
        assert not any(todo.values()), f"never asked for: {todo}; asked: {self.seen}"

    def _next(self, one: Terminal, before: str | None) -> str | None:
        """The next question; None at the end. No question is asked twice in a row."""
        one.wait(lambda: one.ended or self._asked(one) not in (None, before), f"what comes after {before}")
        return None if one.ended else self._asked(one)

    def _asked(self, one: Terminal) -> str | None:
        asked = self.keys.asked(one.screen)
        return next((prompt for prompt in self.prompts if prompt in asked), None)
