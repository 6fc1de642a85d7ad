"""The cluster in the laboratory as a story sees it: who serves, whether all is well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nfsha_config.site import merge
from nfsha_lab.errors import LabError, ProductError
from nfsha_lab.lab import Lab
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.topology import VIRTUAL_ADDRESS

NODES = ("nfs1", "nfs2")
STATE, DATA, MOUNT = "/var/lib/nfs", "/srv/nfs4/data", "/data"
SITE = "/etc/nfsha/site.toml"
WORK = "work"
"""Folder of the workload on the data file system."""

SETTLE_SECONDS = 300.0
_MOUNTED = f"grep -q ' {STATE} ocfs2 ' /proc/self/mounts && grep -q ' {DATA} ocfs2 ' /proc/self/mounts"
_LOOK = f"""
cat /proc/fs/nfsd/threads 2>/dev/null || echo 0
ip -4 -oneline address show | grep -c ' {VIRTUAL_ADDRESS}/'
{_MOUNTED} && systemctl is-active --quiet keepalived && echo 1 || echo 0
systemctl list-units --state=failed --plain --no-legend --no-pager | cut -d ' ' -f 1
"""


@dataclass(frozen=True)
class Look:
    """One look at a node: whether nfsd runs, it has the virtual address and could take over, and what failed."""

    nfsd: bool
    address: bool
    could: bool
    failed: tuple[str, ...]

    @property
    def serves(self) -> bool:
        return self.nfsd and self.address

    @property
    def stands_by(self) -> bool:
        return self.could and not self.nfsd and not self.address


class Cluster:
    """Two nodes, a target and a client, with nfsha installed."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.nodes = [lab[name] for name in NODES]
        self.target = lab["iscsi"]
        self.client = lab["client"]

    def other(self, node: Machine) -> Machine:
        """The node that is not this one."""
        return next(candidate for candidate in self.nodes if candidate is not node)

    def runs_nfsd(self, node: Machine) -> bool:
        """Whether knfsd has threads on the node; a machine that is off or starting runs none."""
        if not node.running:
            return False
        try:
            return int(node.read_file("/proc/fs/nfsd/threads").strip() or 0) > 0
        except LabError:
            # No such file, or no answer: the machine was switched off, or boots and has no nfsd yet.
            return False

    def at_most_one_serves(self) -> bool:
        """The invariant. Those that do are asked twice, so that a handover is not seen as both.

        One that is cut off from clients and disk serves nobody, though its nfsd runs until it has reset itself.
        """
        found = [node for node in self.nodes if self.runs_nfsd(node) and not node.blocked]
        return len(found) < 2 or not all(self.runs_nfsd(node) for node in found[:-1])

    @contextmanager
    def one_server_at_most(self) -> Iterator[None]:
        """Hold the invariant for a block."""
        with self.lab.invariant("at most one node runs nfsd", self.at_most_one_serves):
            yield

    @contextmanager
    def no_node_resets(self) -> Iterator[None]:
        """ProductError at the end of a block in which a node has booted anew."""
        before = {node.name: node.boot_id() for node in self.nodes}
        yield
        after = {node.name: node.boot_id() for node in self.nodes}
        if before != after:
            raise ProductError(f"a node reset itself: boots before {before}, after {after}")

    def serving(self, timeout: float = SETTLE_SECONDS) -> Machine:
        """Wait until one node serves at the virtual address, and give it."""
        found: list[Machine] = []

        def one() -> bool:
            found[:] = [node for node in self.nodes if self._serves(node)]
            return len(found) == 1

        self.client.poll("one node serves at the virtual address", one, timeout)
        return found[0]

    def _serves(self, node: Machine) -> bool:
        return self._look(node).serves

    def _look(self, node: Machine) -> Look:
        """One look at a node; one that is off or starting shows nothing. A failed unit will not come by waiting."""
        try:
            lines = node.execute(_LOOK)[1].split() if node.running else []
        except LabError:
            lines = []
        if len(lines) < 3:
            return Look(nfsd=False, address=False, could=False, failed=())
        look = Look(lines[0] != "0", lines[1] != "0", lines[2] == "1", tuple(lines[3:]))
        if look.failed:
            log = node.execute(f"journalctl -b --no-pager -n 30 -u {' -u '.join(look.failed)}")[1]
            raise ProductError(f"{node.name}: failed: {', '.join(look.failed)}\n{log}")
        return look

    def settle(self, timeout: float = SETTLE_SECONDS) -> Machine:
        """Wait until the cluster is whole: one node serves, the other could, nothing failed. The serving node."""
        with step("waiting until the cluster is whole"):
            active = self.serving(timeout)
            standby = self.other(active)
            self.client.poll(f"{standby.name} stands by", lambda: self._look(standby).stands_by, timeout)
            self.client.wait_until_succeeds(f"timeout 100 stat {MOUNT}", timeout)
        return active

    def assert_healthy(self) -> None:
        """No failed unit, no ordering cycle in a journal, no kernel fault. ProductError names what was seen."""
        seen = []
        for machine in self.lab.all:
            seen += [f"{machine.name}: unit {unit} failed" for unit in machine.failed_units()]
            pattern = "ordering cycle|Oops|BUG:|general protection fault"
            lines = machine.execute(f"journalctl --no-pager -o cat --boot | grep -E '{pattern}'")[1].splitlines()
            seen += [f"{machine.name}: {line}" for line in lines]
        if seen:
            raise ProductError("not healthy:\n" + "\n".join(seen))

    def edit(self, node: Machine, key: str, value: object) -> None:
        """Change a setting in a node's site file, as who looks after it does."""
        text = node.read_file(SITE).decode()
        node.write_file(SITE, merge.with_values(text, {key: value}))

    def table(self) -> str:
        """What runs where, for a person."""
        rows = [("machine", "address", "systemd", "what it does")]
        for machine in self.lab.all:
            state = machine.execute("systemctl is-system-running")[1].strip()
            rows.append((machine.name, machine.address, state, self._role(machine)))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)

    def _role(self, machine: Machine) -> str:
        if machine is self.target:
            connections = "tgtadm --lld iscsi --op show --mode conn --tid 1"
            size = machine.succeed(f"{connections} | grep -c Initiator || true").strip()
            return f"target; {size} initiators logged in"
        if machine is self.client:
            source = machine.execute(f"stat {MOUNT} >/dev/null; findmnt -n -t nfs4 -o SOURCE,FSTYPE {MOUNT}")[1]
            return f"client; {' '.join(source.split()) or 'nothing mounted'} on {MOUNT}"
        if self.runs_nfsd(machine):
            return f"serves NFS at {VIRTUAL_ADDRESS}"
        mounted = machine.execute(_MOUNTED)[0] == 0
        return "stands by, both volumes mounted" if mounted else "not ready"
