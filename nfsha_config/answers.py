"""The answers at a package's questions, as its maintainer scripts hand them over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from nfsha_config.problems import InputError, Problem


def read(file: BinaryIO) -> dict[str, str]:
    """The answers in a file. Raises InputError."""
    try:
        return parse(file.read().decode())
    except UnicodeDecodeError as error:
        problem = Problem(f"byte {error.start + 1}", "is not UTF-8", "type it in a UTF-8 locale")
        raise InputError("answers", [problem]) from None


def parse(text: str) -> dict[str, str]:
    """Lines of key=value. Raises InputError; no message holds a line, since it may be a secret."""
    answers = {}
    problems = []
    for number, key, value in _lines(text):
        if value is None:
            problems.append(Problem(f"line {number}", "has no =", "write key=value"))
        elif key in answers:
            problems.append(Problem(f"line {number}", f"gives {key} again", "give each answer once"))
        else:
            answers[key] = value
    if problems:
        raise InputError("answers", problems)
    return answers


def _lines(text: str) -> Iterator[tuple[int, str, str | None]]:
    # Only the shell's own end of line ends one: what was typed may hold others that splitlines() knows.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            key, equals, value = line.partition("=")
            yield number, key.strip(), value.strip() if equals else None
