"""nfsha itself, as apt installs it from this checkout's packages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import ClassVar

from nfsha_lab import up
from nfsha_lab.bench.contender import LOCKED, RECOVERED, Contender
from nfsha_lab.bench.packages import PACKAGES
from nfsha_lab.bench.rival import Rival
from nfsha_lab.folders import Folders
from nfsha_lab.lab import parallel
from nfsha_lab.machine import Machine
from nfsha_lab.second_client import admit


class Nfsha(Contender):
    """The laboratory's cluster; only the image is the benchmark's."""

    name = "nfsha"
    title = "nfsha"
    steps: ClassVar[Mapping[str, str]] = {
        r"Entering MASTER STATE": "keepalived: master",
        r"o2dlm has evicted node": "o2cb: peer evicted",
        r"ocfs2: End replay journal": RECOVERED,
        r"Started nfsha-active.service": LOCKED,
        r"(Started|Finished) nfsha-open.service": "gate open",
    }

    def make(self, folders: Folders) -> Rival:
        cluster = Rival(up.installed(folders, more=PACKAGES).lab)
        parallel(admit, cluster.nodes)
        # The automount's first use.
        cluster.client.wait_until_succeeds("stat /data/work && grep -q ' /data nfs4 ' /proc/self/mounts", 200)
        return cluster

    def digest(self) -> str:
        return hashlib.sha256((super().digest() + up.digest()).encode()).hexdigest()

    def planned(self, cluster: Rival, node: Machine) -> None:
        node.succeed("nfsha switchover", 200)
