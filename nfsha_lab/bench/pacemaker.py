"""Pacemaker and corosync with stock resource agents, ext4 on the LUN, fenced by sbd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nfsha_lab.bench import trees
from nfsha_lab.bench.contender import Contender, base, mount
from nfsha_lab.bench.rival import Rival
from nfsha_lab.folders import Folders
from nfsha_lab.lab import parallel
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.second_client import admit

_START_SECONDS = 900.0
_ONLINE = "crm_mon --one-shot --output-as=text | grep -q 'Online: \\[ nfs1 nfs2 \\]'"
_STARTED = "crm_mon --one-shot --output-as=text | grep -A 99 'Resource Group' | grep -q 'unblock.*Started'"
_FENCE = "crm_mon --one-shot --output-as=text | grep -q 'fence.*Started'"


class Pacemaker(Contender):
    """The group of resources is in trees/pacemaker/node/root/cluster.crm."""

    name = "pacemaker"
    title = "Pacemaker"
    # Its agents are shell programs of many processes each, which emulated machines are slow to start.
    bound = 260.0
    steps: ClassVar[Mapping[str, str]] = {
        r"Node (\S+) state is now lost": "corosync: peer lost",
        r"Operation 'reboot' .*(: OK|complete)": "peer fenced",
        r"Result of start operation for data on \S+: ok": "data mounted",
        r"Result of start operation for server on \S+: ok": "nfsserver started",
        r"Result of start operation for address on \S+: ok": "address up",
        r"Result of start operation for unblock on \S+: ok": "port open",
    }

    def make(self, folders: Folders) -> Rival:
        cluster = Rival(base(folders))
        first = cluster.nodes[0]
        with step("setting up Pacemaker"):
            parallel(admit, cluster.nodes)
            parallel(lambda node: trees.set_up(node, self.name, "node"), cluster.nodes)
            trees.set_up(first, self.name, "disk")
        with step("starting Pacemaker"):
            parallel(lambda node: trees.set_up(node, self.name, "start"), cluster.nodes)
            first.wait_until_succeeds(_ONLINE, _START_SECONDS)
            first.succeed("crm configure load update /root/cluster.crm", _START_SECONDS)
            first.wait_until_succeeds(_STARTED, _START_SECONDS)
            first.wait_until_succeeds(_FENCE, _START_SECONDS)
            cluster.serving()
            mount(cluster)
        return cluster

    def planned(self, cluster: Rival, node: Machine) -> None:
        node.succeed(f"crm_resource --resource nfs --move --node {cluster.other(node).name}")
