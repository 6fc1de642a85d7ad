"""The CHAP secrets of a site: apart from the site, in a file that only root reads."""

from __future__ import annotations

import os
import re
import secrets as random
import stat
import string
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from nfsha_config.problems import InputError, Problem

_LENGTH = 24
_LEAST, _MOST = 12, 64
_HEADER = "# CHAP secrets of an nfsha site; mode 0600. node: the nodes prove themselves; target: the target does.\n"


@dataclass(frozen=True)
class Secrets:
    """node proves the nodes to the target, target proves the target to the nodes (RFC 7143, 12.1.3)."""

    node: str
    target: str

    def __repr__(self) -> str:
        return "Secrets(...)"


def make() -> Secrets:
    """Two different secrets of 24 letters and digits (142 bits each; RFC 7143, 9.2.1 asks for 96)."""
    alphabet = string.ascii_letters + string.digits
    return Secrets(*("".join(random.choice(alphabet) for _ in range(_LENGTH)) for _ in fields(Secrets)))


def check(values: dict[str, object], source: str) -> Secrets:
    """The secrets in values. Raises InputError; no message holds a secret."""
    names = [field.name for field in fields(Secrets)]
    known = "known: " + ", ".join(names)
    problems = [Problem(key, "is not a secret of a site", known) for key in values if key not in names]
    for name in names:
        value = values.get(name)
        if name not in values or value == "":
            problems.append(Problem(name, "is missing", "`nfsha secrets init` makes the file"))
        elif not isinstance(value, str):
            problems.append(Problem(name, "is not a string", "put it in quotes"))
        elif not _LEAST <= len(value) <= _MOST or not re.fullmatch(r"[A-Za-z0-9._+/=-]+", value):
            hint = f"take {_LEAST} to {_MOST} letters, digits and . _ + / = -"
            problems.append(Problem(name, "is too short, too long or has other characters", hint))
    if not problems and values["node"] == values["target"]:
        hint = "take two; a target must not be able to answer with the nodes' own secret (RFC 7143, 9.2.1)"
        problems.append(Problem("target", "is the same as node", hint))
    if problems:
        raise InputError(source, problems)
    return Secrets(*(str(values[name]) for name in names))


def load(path: Path) -> Secrets:
    """The secrets in a file. Raises InputError, also when others may read the file."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = path.read_bytes().decode()
    except OSError as error:
        problem = Problem("file", str(error.strerror), "`nfsha secrets init` makes it")
        raise InputError(str(path), [problem]) from error
    except UnicodeDecodeError:
        problem = Problem("file", "is not UTF-8 text", 'write lines such as node = "..."')
        raise InputError(str(path), [problem]) from None
    if mode & 0o077:
        raise InputError(str(path), [Problem("mode", f"is {mode:04o}, others may read it", f"chmod 600 {path}")])
    try:
        values = tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        # The error behind it could quote the file, so it goes no further than its place.
        place = re.search(r"\((at [a-z0-9, ]+)\)", str(error))
        what = f"is not TOML {place[1]}" if place else "is not TOML"
        raise InputError(str(path), [Problem("file", what, 'write lines such as node = "..."')]) from None
    return check(values, str(path))


def text(secrets: Secrets) -> str:
    """The file's text."""
    return _HEADER + "".join(f'{field.name} = "{getattr(secrets, field.name)}"\n' for field in fields(secrets))


def write_new(path: Path, secrets: Secrets) -> None:
    """Write a new file, mode 0600. Raises FileExistsError: secrets in use are never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text(secrets))
