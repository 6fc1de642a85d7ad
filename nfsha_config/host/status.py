"""What a node says of itself, on the shared state file system where the other node reads it."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from nfsha_config.file import content, read
from nfsha_config.host import connections, keepalived, kernel, o2cb, record
from nfsha_config.host.grace import grace_over
from nfsha_config.paths import Paths
from nfsha_config.site.model import Site

INTERVAL = 5.0
"""Seconds between two reports of a node."""

_KEEPALIVED = "keepalived"
# Seconds for which the witness's note holds; keepalived runs it every 5 s.
_FRESH = 15.0


@dataclass(frozen=True)
class Status:
    """One report.

    beat rises with each report of one boot, so that another node sees it live whatever the clocks say; unfit is why the
    node can't serve, "" when it can; vrrp is what keepalived said last, "" when it does not run; timings are those of
    the site that all nodes must share, and wrong says where what runs here has others; clients counts connections;
    duplicate is the MAC address of another machine that answers for the virtual address; kernel is what is set
    otherwise than a node needs it.
    """

    node: str
    beat: int
    serving: bool
    unfit: str
    vrrp: str
    clients: int
    grace: bool
    timings: str
    wrong: str = ""
    duplicate: str = ""
    kernel: str = ""

    @property
    def role(self) -> str:
        """What it does, in words for a person."""
        if self.serving:
            return "serves, in its grace period" if self.grace else "serves"
        if self.unfit:
            return f"can't serve: {self.unfit}"
        return "stands by" if self.vrrp == "BACKUP" else f"does not serve, VRRP state {self.vrrp or 'unknown'}"


def here(site: Site, beat: int, paths: Paths) -> Status:
    """This node's report. It repeats what keepalived was told of the node, so the two never disagree."""
    serving = paths.now("open").exists()
    vrrp = _vrrp(paths)
    return Status(
        node=os.uname().nodename,
        beat=beat,
        serving=serving,
        unfit=content(paths.now("unfit")) or _unseen(vrrp, paths),
        vrrp=vrrp,
        clients=len(connections.established(site.network.virtual_address.ip, paths)),
        grace=serving and not grace_over(paths),
        timings=str(site.timings),
        wrong=o2cb.wrong(site, paths),
        duplicate=content(paths.now("duplicate")) if serving else "",
        kernel=kernel.wrong(paths),
    )


def _vrrp(paths: Paths) -> str:
    """keepalived's last word, as notify noted it; none while keepalived is not there to take it back."""
    pid = content(paths.at(keepalived.PID)) or "none"
    alive = content(paths.at(f"/proc/{pid}/comm")) == _KEEPALIVED
    return content(paths.now("vrrp")) if alive else ""


def _unseen(vrrp: str, paths: Paths) -> str:
    """What a node that is fit misses in the network, where keepalived is in the state FAULT for that; else ""."""
    if vrrp != "FAULT":
        return ""
    if content(paths.now("isolated")) == "1":
        return "the other node lives and can't be reached"
    note = paths.now("unwitnessed")
    with suppress(OSError):
        if time.time() - note.stat().st_mtime < _FRESH:
            return f"no witness answers: {content(note)}"
    return ""


def place(node: str, paths: Paths) -> Path:
    """Where a node's report is."""
    return paths.shared(f"status.{node}")


def save(status: Status, paths: Paths) -> None:
    """Leave the report for the other nodes. Not synced: a node that is gone has nothing to report."""
    new = place(f"{status.node}.new", paths)
    new.write_text(json.dumps(asdict(status)) + "\n", encoding="utf-8")
    new.replace(place(status.node, paths))


def load(node: str, paths: Paths) -> Status | None:
    """A node's last report; None where there is none that can be read."""
    return record.parse(Status, read(place(node, paths)) or "")


def live(node: str, paths: Paths, patience: float = 3 * INTERVAL) -> Status | None:
    """A report that the node made since the call, waited for `patience` seconds; None when none came."""
    before = load(node, paths)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        now = load(node, paths)
        if now is not None and (before is None or now.beat != before.beat):
            return now
        time.sleep(0.2)
    return None
