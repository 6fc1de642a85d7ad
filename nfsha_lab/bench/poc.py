"""The proof of concept of 2018, repaired as far as it needs to be to run at all on Debian 12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nfsha_lab.bench import trees
from nfsha_lab.bench.contender import Contender, base, mount, wait_out
from nfsha_lab.bench.rival import Rival
from nfsha_lab.folders import Folders
from nfsha_lab.lab import parallel
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.second_client import admit

_GRACE_SECONDS = 240.0


class ProofOfConcept(Contender):
    """keepalived, OCFS2, and nfsd on both nodes; each repair is marked as one in trees/poc."""

    name = "poc"
    title = "proof of concept"
    # o2cb's 62 s, then the grace period.
    bound = 260.0
    steps: ClassVar[Mapping[str, str]] = {
        r"Entering MASTER STATE": "keepalived: master",
        r"o2dlm has evicted node": "o2cb: peer evicted",
        r"End replay journal": "journal replayed",
        r"notify\S*: .*FAULT": "keepalived: fault",
        r"OCFS2: .*read-only": "OCFS2: volume made read-only",
    }

    def make(self, folders: Folders) -> Rival:
        cluster = Rival(base(folders))
        with step("setting up the proof of concept"):
            parallel(admit, cluster.nodes)
            parallel(lambda node: trees.set_up(node, self.name, "node"), cluster.nodes)
            trees.set_up(cluster.nodes[0], self.name, "disk")
            for node in cluster.nodes:
                trees.set_up(node, self.name, "start")
            cluster.serving()
        with step("waiting until both servers have ended their grace period"):
            for node in cluster.nodes:
                wait_out(node, _GRACE_SECONDS)
            cluster.serving()
            mount(cluster)
        return cluster

    def planned(self, cluster: Rival, node: Machine) -> None:
        node.succeed("systemctl stop keepalived")

    def after_planned(self, cluster: Rival, node: Machine) -> bool:
        """Both nodes are of state MASTER: the one with the higher priority takes the address back."""
        node.succeed("systemctl start keepalived")
        return True
