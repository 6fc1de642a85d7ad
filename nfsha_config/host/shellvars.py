"""Key by key in a file of shell variables that belongs to another package."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping


def get(text: str, key: str) -> str | None:
    """The value of key, None where it is not set."""
    found = re.findall(rf"^{re.escape(key)}=(.*)$", text, re.MULTILINE)
    if not found:
        return None
    try:
        return "".join(shlex.split(found[-1])[:1])
    except ValueError:
        # A quote that ends on another line; no shell would take the file either.
        return str(found[-1])


def with_values(text: str, values: Mapping[str, str | None]) -> str:
    """The text with these values; None takes the line away; all else stays as it is, byte by byte."""
    for key, value in values.items():
        text = _with_value(text, key, value)
    return text


def _with_value(text: str, key: str, value: str | None) -> str:
    line = rf"^{re.escape(key)}=.*\n?"
    wanted = "" if value is None else f"{key}={shlex.quote(value) if value else ''}\n"
    if re.search(line, text, re.MULTILINE):
        return re.sub(line, lambda _: wanted, text, flags=re.MULTILINE)
    if not wanted:
        return text
    return text + ("" if text.endswith("\n") or not text else "\n") + wanted
