"""What is wrong with an input or a machine, said so that a person can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One fault: where it is, the value as typed, what is wrong and what to do."""

    where: str
    what: str
    hint: str
    value: str | None = None

    def __str__(self) -> str:
        typed = "" if self.value is None else f" = {self.value}"
        return f"{self.where}{typed}: {self.what} ({self.hint})"


class NfshaError(Exception):
    """Base of every error that is the user's to mend; the command line prints it and exits with 1."""


class InputError(NfshaError):
    """An input with all its problems at once."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class Refused(NfshaError):
    """An action that was not done, because it could harm data: what, where, and what to do."""


class CommandFailed(NfshaError):
    """A program that nfsha ran ended with an error; the message holds a line to repeat it by hand."""
