"""All nodes at a glance, from any of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from nfsha_config.host import impact, status
from nfsha_config.host.status import Status
from nfsha_config.paths import Paths
from nfsha_config.site import load

Seen = Mapping[str, Status | None]
"""The report of each node by its name, None for a node that made none."""

# A node is let in by another one only when both have the same (fs/ocfs2/cluster/tcp.c, o2net_check_handshake).
_ALL_ANEW = (
    "a node alone can't change that, not even by a reboot, while another one is up; "
    f"on every node: {impact.STOP}; then on every node: systemctl start nfsha-node.target"
)
_NO_LATER = "take it out of /etc/sysctl.conf and /etc/sysctl.d, then: sysctl --system"


def look(paths: Paths) -> Seen:
    """Wait for a new report of every node, 15 s at the most; a node that makes none is not up."""
    names = [node.name for node in load.load_file(paths.site).nodes]
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(zip(names, pool.map(lambda name: status.live(name, paths), names), strict=True))


def serving(seen: Seen) -> list[str]:
    """The nodes that say that they serve; more than one only where reports are older than a takeover."""
    return [name for name, one in seen.items() if one is not None and one.serving]


def as_text(seen: Seen) -> str:
    """A line a node, and one for each thing that is wrong between them."""
    width = max(map(len, seen))
    lines = [f"{name:{width}}  {_line(one)}" for name, one in seen.items()]
    known = [one for one in seen.values() if one is not None]
    if len({one.timings for one in known}) > 1:
        lines.append("the nodes have different timings: install the same revision of the site on all")
    for one in known:
        if one.wrong:
            lines.append(f"{one.node}: {one.wrong}: {_ALL_ANEW}")
        if one.kernel:
            lines.append(f"{one.node}: {one.kernel}: {_NO_LATER}")
        if one.duplicate:
            hint = "take the address from it"
            lines.append(f"another machine answers for the virtual address, too: {one.duplicate}; {hint}")
    if sum(one.vrrp == "MASTER" for one in known) > 1:
        lines.append("more than one node claims the virtual address: let VRRP (IP protocol 112) pass between the nodes")
    return "\n".join(lines)


def _line(one: Status | None) -> str:
    if one is None:
        return "no report: is it up?"
    clients = f", {one.clients} client{'' if one.clients == 1 else 's'}" if one.serving else ""
    return f"{one.role}{clients}"


def as_json(seen: Seen) -> str:
    """The reports as they are."""
    return json.dumps({name: None if one is None else asdict(one) for name, one in seen.items()}, indent=1)
