"""The kinds of value that a setting can hold: from TOML or text to a checked Python value, and back."""

from __future__ import annotations

import ipaddress
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Invalid(ValueError):
    """A value that a kind refuses: what is wrong, and what would be right."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


@dataclass(frozen=True)
class Kind:
    """How a value is written in TOML (toml), checked (parse, may raise Invalid) and typed as text (of_text)."""

    name: str
    toml: type | tuple[type, ...]
    parse: Callable[[Any], Any]
    of_text: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()

    def read(self, raw: object) -> Any:
        """The checked value of what TOML holds. Raises Invalid, also for another type; true is no number."""
        if not isinstance(raw, self.toml) or isinstance(raw, bool):
            names = {str: "string", int: "whole number", list: "list"}
            wanted = "number" if isinstance(self.toml, tuple) else names[self.toml]
            raise Invalid(f"is not a {wanted}", f"wanted: {self.name}")
        return self.parse(raw)


def typed(value: object) -> str:
    """The value as it would be typed in the file: TOML on one line, control characters escaped."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return "[" + ", ".join(typed(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key_text(key)} = {typed(item)}" for key, item in value.items()) + "}"
    return str(value)


def text_of(value: object) -> str:
    """A checked value as text, at a question or for a person; the opposite of Kind.of_text."""
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def key_text(key: str) -> str:
    """A key as it would be typed in the file."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else typed(key)


def text(name: str, pattern: str, what: str, hint: str) -> Kind:
    """A string that matches the pattern as a whole."""

    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise Invalid(what, hint)
        return value

    return Kind(name, str, parse)


def integer(low: int, high: int, why: str) -> Kind:
    """A whole number in the closed range low..high; why names the source of the limits."""

    def parse(value: int) -> int:
        if not low <= value <= high:
            raise Invalid(f"is outside {low} to {high}", f"{why}; take a whole number from {low} to {high}")
        return value

    return Kind(f"whole number, {low} to {high}", int, parse, _integer_of_text)


def _integer_of_text(value: str) -> object:
    """As in a file: TOML's 0x10 and 1_000 are numbers, too."""
    if not re.fullmatch(r"[+-]?[0-9][0-9A-Za-z_]{,19}", value):
        return value
    try:
        return int(value, 0)
    except ValueError:
        return int(value) if re.fullmatch(r"[+-]?[0-9]+", value) else value


def seconds(low: float, high: float, why: str) -> Kind:
    """A time in seconds in the closed range low..high, decimals allowed."""

    def parse(value: float) -> float:
        if not low <= value <= high:
            raise Invalid(f"is outside {low:g} to {high:g} s", f"{why}; take {low:g} to {high:g}")
        return float(value)

    return Kind(f"seconds, {low:g} to {high:g}", (int, float), parse, _number_of_text)


def _number_of_text(value: str) -> object:
    return float(value) if re.fullmatch(r"[+-]?[0-9]{1,20}([.][0-9]{1,20})?", value) else value


def choice(*choices: str) -> Kind:
    """One of a few words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise Invalid("is not one of the choices", "take one of: " + ", ".join(choices))
        return value

    return Kind("one of " + ", ".join(choices), str, parse, choices=choices)


_SIZE_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def _size(value: str) -> int:
    match = re.fullmatch(r"([0-9]{1,19}) ?([KMGT]?)(?:iB)?", value)
    if not match:
        raise Invalid("is not a size", 'write a whole number and a unit, such as "64MiB" or "1GiB"')
    return int(match[1]) * _SIZE_UNITS[match[2]]


def size_text(size: int) -> str:
    """The shortest exact spelling of a size in bytes."""
    for unit in ("T", "G", "M", "K"):
        if size % _SIZE_UNITS[unit] == 0 and size:
            return f"{size // _SIZE_UNITS[unit]}{unit}iB"
    return str(size)


def _address(value: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(value)
    except ValueError:
        hint = "write four numbers, such as 192.168.50.11; o2cb knows IPv4 only"
        raise Invalid("is not an IPv4 address", hint) from None


def _interface_address(value: str) -> ipaddress.IPv4Interface:
    try:
        parsed = ipaddress.IPv4Interface(value)
    except ValueError:
        parsed = None
    if parsed is None or not re.fullmatch(r"[0-9]{1,2}", value.partition("/")[2]):
        raise Invalid("is not an IPv4 address with a prefix length", "write it such as 192.168.50.10/24")
    return parsed


@dataclass(frozen=True)
class Portal:
    """Where the target listens."""

    address: ipaddress.IPv4Address
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


def _portal(value: str) -> Portal:
    host, _, port = value.rpartition(":")
    try:
        if re.fullmatch(r"[0-9]{1,5}", port):
            return Portal(ipaddress.IPv4Address(host), int(port))
    except ValueError:
        pass
    raise Invalid("is not an address and a port", "write it such as 192.168.50.20:3260")


def _uuid(value: str) -> uuid.UUID:
    parsed = uuid.UUID(value) if re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", value) else None
    if parsed is None or parsed.int == 0:
        raise Invalid("is not a UUID", "take what `uuidgen` prints")
    return parsed


def _strings(check: Callable[[str], Any]) -> Callable[[list[Any]], tuple[Any, ...]]:
    def parse(value: list[Any]) -> tuple[Any, ...]:
        for item in value:
            if not isinstance(item, str):
                raise Invalid(f"holds {typed(item)}, which is not a string", "put each entry in quotes")
        return tuple(check(item) for item in value)

    return parse


def _words_of_text(value: str) -> object:
    return [word for word in re.split(r"[,\s]+", value) if word]


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise Invalid("is a relative path", "write the whole path, from / on")
    if value != "/" and value.endswith("/"):
        raise Invalid("ends with a slash", "leave the slash at the end out")
    parts = [] if value == "/" else value[1:].split("/")
    if any(part in (".", "..") or not re.fullmatch(r"[\w.+@-]{1,255}", part) for part in parts):
        hint = "write it with letters, digits and . _ + @ - only, without empty parts, . and .."
        raise Invalid("is not a plain path", hint)
    return value


def _device(value: str) -> str:
    parts = value.split("/")
    if not re.fullmatch(r"/dev/[A-Za-z0-9/._:+@-]+", value) or any(part in ("", ".", "..") for part in parts[1:]):
        raise Invalid("is not a device path", "take a stable one below /dev/disk/by-id/")
    return value


NAME = text(
    "host name", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "is not a host name",
    "take what `hostname` prints on that machine: lower-case letters, digits and hyphens",
)  # fmt: skip
CLUSTER = text(
    "o2cb cluster name", r"[A-Za-z0-9]{1,16}", "is not an o2cb cluster name",
    "take 1 to 16 letters and digits; the kernel takes nothing else (o2cb.sysconfig(5))",
)  # fmt: skip
INTERFACE = text(
    "network interface", r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,15}", "is not a network interface name",
    "take a name that `ip link` shows",
)  # fmt: skip
IQN = text(
    "iSCSI qualified name", r"(?=.{1,223}$)iqn\.[0-9]{4}-(0[1-9]|1[0-2])\.[a-z0-9.-]+(:[a-z0-9.:-]+)?",
    "is not an iSCSI qualified name", "write it such as iqn.2018-08.org.example:lun1 (RFC 7143, 4.2.7)",
)  # fmt: skip
USER = text("CHAP user", r"[A-Za-z0-9._-]{1,64}", "is not a CHAP user name", "take letters, digits, dot, _ and -")
DEVICE = Kind("block device", str, _device)
OPTION = r"[a-z_]+(=[^\s(),\"]+)?"
ADDRESS = Kind("IPv4 address", str, _address)
INTERFACE_ADDRESS = Kind("IPv4 address with prefix", str, _interface_address)
PORTAL = Kind("address and port", str, _portal)
SIZE = Kind("size", str, _size)
UUID = Kind("UUID", str, _uuid)
PATH = Kind("absolute path", str, _path)
ADDRESSES = Kind("list of IPv4 addresses", list, _strings(_address), _words_of_text)
WORDS = Kind("list of words", list, _strings(str), _words_of_text)
