"""One server without any high availability, as Debian has it: the floor."""

from __future__ import annotations

import time

from nfsha_lab.bench import trees
from nfsha_lab.bench.contender import Contender, base, mount
from nfsha_lab.bench.rival import Rival
from nfsha_lab.folders import Folders
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.second_client import admit

CUT_SECONDS = 60.0


class Single(Contender):
    """nfs1 serves; somebody stands beside it and does at once what an administrator would."""

    name = "single"
    title = "one nfsd"
    # An emulated machine needs two minutes to boot, and then comes the grace period.
    bound = 400.0

    def make(self, folders: Folders) -> Rival:
        cluster = Rival(base(folders))
        with step("setting up one server"):
            admit(cluster.nodes[0])
            trees.set_up(cluster.nodes[0], self.name, "node")
            cluster.serving()
            mount(cluster)
        return cluster

    def planned(self, cluster: Rival, node: Machine) -> None:
        node.succeed("systemctl restart nfs-server")

    def killed(self, cluster: Rival, node: Machine) -> None:
        node.succeed("rpc.nfsd 0 && systemctl restart nfs-server")

    def crashed(self, cluster: Rival, node: Machine) -> None:
        """The power comes back at once."""
        node.crash()
        node.start()

    def cut(self, cluster: Rival, node: Machine) -> None:
        """The cable is put back after a minute."""
        node.block()
        time.sleep(CUT_SECONDS)
        node.unblock()
