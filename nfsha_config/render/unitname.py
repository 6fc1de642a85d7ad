"""Names of systemd units that stand for a path."""

from __future__ import annotations

import string

_PLAIN = frozenset(string.ascii_letters + string.digits + ":_.")


def escape_path(path: str) -> str:
    """What `systemd-escape --path` prints (systemd.unit(5), "String Escaping for Inclusion in Unit Names")."""
    inner = path.strip("/")
    if not inner:
        return "-"
    return "".join(_escape(char, first=index == 0) for index, char in enumerate(inner))


def _escape(char: str, *, first: bool) -> str:
    if char == "/":
        return "-"
    if char in _PLAIN and not (first and char == "."):
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode())
