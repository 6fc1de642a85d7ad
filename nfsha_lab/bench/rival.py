"""A cluster of a contender: who serves is seen in the same way for all, whatever made it serve."""

from __future__ import annotations

from nfsha_lab.cluster import Cluster
from nfsha_lab.errors import LabError
from nfsha_lab.machine import Machine
from nfsha_lab.topology import VIRTUAL_ADDRESS

_SERVES = f"grep -vqx 0 /proc/fs/nfsd/threads && ip -4 -oneline address show | grep -q ' {VIRTUAL_ADDRESS}/'"


class Rival(Cluster):
    """Two nodes, a target and a client, set up by a contender; a unit that failed is no reason to give up."""

    def serving(self, timeout: float = 60.0) -> Machine:
        """Wait until one node has nfsd and the address that clients know, and give it."""
        return super().serving(timeout)

    def _serves(self, node: Machine) -> bool:
        try:
            return node.running and node.execute(_SERVES, 20.0)[0] == 0
        except LabError:
            # It was switched off, or resets itself.
            return False
