"""What a new site would do to a machine that runs: classified before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass

from nfsha_config.host import mounts
from nfsha_config.host.write import read
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, Refused
from nfsha_config.site import load
from nfsha_config.site.difference import Difference, differences, worst
from nfsha_config.site.model import Site
from nfsha_config.site.settings import COSTS, MEANING

STOP = "systemctl stop keepalived.service srv-nfs4-data.mount var-lib-nfs.mount o2cb.service nfsha-storage.service"
"""What takes a node out of the cluster, so that it can come back with other values."""


@dataclass(frozen=True)
class Impact:
    """The changed settings of a machine that was configured before."""

    changes: tuple[Difference, ...]

    @property
    def lines(self) -> list[str]:
        """A line for each change, and one for each of its costs that says what it means."""
        costs = [cost for cost in COSTS if any(one.cost == cost for one in self.changes)]
        return [f"{one}: {one.cost}" for one in self.changes] + [f"{cost}: {MEANING[cost]}" for cost in costs]

    def allow(self, paths: Paths) -> None:
        """Raises Refused for an outage where the volumes are mounted.

        Written but not in force, such a change would come into force with the next crash, on one node alone.
        """
        dear = [one for one in self.changes if one.cost == "outage"]
        if dear and mounts.ocfs2(paths):
            raise Refused(
                "".join(f"{one}: is an outage, and this node is in the cluster; nothing was changed\n" for one in dear)
                + f"on every node: {STOP}; then on every node: dpkg-reconfigure nfsha-node"
            )

    def may_interrupt(self, paths: Paths) -> bool:
        """Whether programs may be told at once: not when that would be a switchover, and this node serves."""
        return worst(self.changes) == "reload" or not paths.now("open").exists()


def of(package: str, site: Site, paths: Paths) -> Impact:
    """Against the site that the package was configured with last; nothing is known to change where there is none."""
    text = read(paths.configured_site(package)) or read(paths.site)
    try:
        return Impact(differences(load.load(text, str(paths.site)), site) if text else ())
    except InputError:
        return Impact(())
