"""Stand-ins for what needs a kernel, a target, a cluster or time: programs put first in PATH, blocks of the heartbeat."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SG_PERSIST = r"""
: >>keys; : >>holder; : >>gone; : >>old; echo "$*" >>calls
for word; do
    case $word in
    --param-rk=*) rk=${word#*=} ;;
    --param-sark=*) sark=${word#*=} ;;
    --no-inquiry | --readonly | --in | --out | --prout-type=5) ;;
    --*) what=$word ;;
    esac
done
conflict() { echo 'PR out: Reservation conflict' >&2; exit 24; }
registered() { grep -qx "$1" keys && ! grep -qx "$1" gone || conflict; }
forget() { grep -vx "$1" keys >left || true; mv left keys; }
[ ! -e broken ] || { echo 'PR in: command not supported' >&2; exit 9; }
case $what in
--read-keys)
    case $(grep -c . keys) in
    0) echo '  PR generation=0x2, there are NO registered reservation keys' ;;
    1) echo '  PR generation=0x1, 1 registered reservation key follows:' ;;
    *) echo "  PR generation=0x1, $(grep -c . keys) registered reservation keys follow:" ;;
    esac
    sed 's/^/    0x/' keys
    ;;
--read-reservation)
    if [ -s holder ]; then
        printf '  PR generation=0x1, Reservation follows:\n    Key=0x%s\n' "$(cat holder)"
        echo '    scope: LU_SCOPE,  type: Write Exclusive, registrants only'
    else
        echo '  PR generation=0x2, there is NO reservation held'
    fi
    ;;
--register-ignore)
    forget "$sark"; echo "$sark" >>keys
    if grep -qx "$sark" gone; then sed -i "/^$sark$/d" gone; echo "$sark" >>old; fi
    ;;
--register)
    registered "$rk"; [ "$sark" = 0 ]; ! grep -qx "$rk" old || { echo "$rk" >>gone; exit 0; }
    forget "$rk"
    [ "$(cat holder)" != "$rk" ] || : >holder
    ;;
--reserve)
    [ ! -e rival ] || { cat rival >>keys; cat rival >holder; }
    registered "$rk"
    [ ! -s holder ] || { [ "$(cat holder)" = "$rk" ] && ! grep -qx "$rk" old; } || conflict
    echo "$rk" >holder
    ;;
--preempt) registered "$rk"; registered "$sark"; forget "$sark" ;;
--release) registered "$rk"; [ "$(cat holder)" != "$rk" ] || grep -qx "$rk" old || : >holder ;;
--clear) registered "$rk"; : >keys; : >holder; : >old ;;
*) echo "unknown: $*" >&2; exit 1 ;;
esac
"""
"""A target with one LUN: keys and holder in files beside it, those of sessions that are gone in `gone`, and in `old` those
that have registered again since. `rival` reserves first, `broken` knows no reservations.
"""


@dataclass
class Clock:
    """The time, which goes on by sleeping alone; what is to happen in a sleep can be set."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@dataclass
class Peer:
    """The other node, as pings see it."""

    answers: bool = True

    def ask(self) -> None:
        """Nothing to send."""

    def answered(self) -> bool:
        return self.answers


def held_by(target: Path, key: int) -> None:
    """Somebody holds a reservation."""
    for name in ("keys", "holder"):
        (target / name).write_text(f"{key:x}\n")


def keeps(target: Path, key: int) -> bool:
    """Whether this key holds the reservation, and its node may write."""
    keys, holder, gone = ((target / name).read_text().split() for name in ("keys", "holder", "gone"))
    return f"{key:x}" in keys and [f"{key:x}"] == holder and f"{key:x}" not in gone


def reconnect(target: Path, key: int) -> None:
    """The session of this key's node has broken, and it has another one."""
    with (target / "gone").open("a") as gone:
        gone.write(f"{key:x}\n")


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a script of sh, which works in the folder, first in PATH."""
    place = folder / "bin" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\nset -eu\ncd '{folder}'\n{script}\n", encoding="utf-8")
    place.chmod(0o755)
    if not os.environ["PATH"].startswith(f"{place.parent}:"):
        monkeypatch.setenv("PATH", f"{place.parent}:{os.environ['PATH']}")


def crc32_le(data: bytes) -> int:
    """crc32_le(0, ...) of the kernel (lib/crc32.c), bit by bit."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value


def block(seq: int, node: int, generation: int = 0x1234, dead_ms: int = 32000, tail: bytes = b"") -> bytes:
    """A heartbeat block of 512 bytes as o2hb_prepare_block makes it."""
    bare = struct.pack("<QB3xIQI", seq, node, 0, generation, dead_ms) + tail
    bare = bare.ljust(512, b"\0")
    return bare[:12] + struct.pack("<I", crc32_le(bare)) + bare[16:]
