"""When each NFS client of the client machine told its server that it had reclaimed everything."""

from __future__ import annotations

import re

from nfsha_lab.machine import Machine

_TRACING = "/sys/kernel/tracing"
_EVENT = f"{_TRACING}/events/nfs4/nfs4_reclaim_complete/enable"
# name-pid [cpu] flags seconds: nfs4_reclaim_complete: error=0 (OK) dstaddr=...
_LINE = re.compile(r"-(\d+) +\[\d+\] \S+ +(\d+\.\d+): nfs4_reclaim_complete: error=(-?\d+)")


def begin(client: Machine) -> None:
    """Let the kernel note each RECLAIM_COMPLETE with the monotonic clock, which the workload's log has, too."""
    client.succeed(
        f"mountpoint -q {_TRACING} || mount -t tracefs tracefs {_TRACING}; "
        f"echo mono >{_TRACING}/trace_clock && echo >{_TRACING}/trace && echo 1 >{_EVENT}"
    )


def reclaims(client: Machine) -> list[float]:
    """The moments (monotonic, seconds) of those that went well."""
    return parse(client.succeed(f"cat {_TRACING}/trace"))


def parse(text: str) -> list[float]:
    """The moments in the kernel's text."""
    found = (_LINE.search(line) for line in text.splitlines())
    return [float(match[2]) for match in found if match and match[3] == "0"]
