"""What a new site would do to a machine that runs: classified before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.file import read
from nfsha_config.host import lun, mounts
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused
from nfsha_config.render import NODE, TARGET
from nfsha_config.site import load
from nfsha_config.site.difference import Difference, differences, worst
from nfsha_config.site.model import Site
from nfsha_config.site.settings import COSTS, MEANING

STOP = "systemctl stop keepalived.service srv-nfs4-data.mount var-lib-nfs.mount o2cb.service nfsha-storage.service"
"""What takes a node out of the cluster, so that it can come back with other values."""


@dataclass(frozen=True)
class Impact:
    """The changed settings of a machine; before is the site that it was configured with, None where there was none."""

    before: Site | None
    after: Site
    changes: tuple[Difference, ...]

    @property
    def lines(self) -> list[str]:
        """A line for each change, and one for each of its costs that says what it means."""
        costs = [cost for cost in COSTS if any(one.cost == cost for one in self.changes)]
        return [f"{one}: {one.cost}" for one in self.changes] + [f"{cost}: {MEANING[cost]}" for cost in costs]

    def allow(self, package: str, paths: Paths) -> None:
        """Raises Refused for what would leave the data behind, and for an outage where the volumes are mounted.

        Written but not in force, an outage would come into force with the next crash, on one node alone.
        """
        refused = [*self._of_data(package, paths), *self._of_outage(package, paths)]
        if refused:
            raise Refused("\n".join(refused))

    def _of_data(self, package: str, paths: Paths) -> Iterator[str]:
        lost = [one for one in self.changes if one.cost == "new disk"]
        if not lost or self.before is None:
            return
        # The target may get another disk with the new values; a node sees the old one while it is logged in.
        device = {NODE: self.before.lun_path, TARGET: self.after.storage.device}.get(package)
        if device and (_mounted(package, paths) or lun.is_of(Path(device), self.before)):
            why = f"the volumes on {device} are known by the old value"
            yield from (f"{one}: {why}; nothing was changed" for one in lost)
            yield "put the old value back; a cluster with another one begins on a blank disk"

    def _of_outage(self, package: str, paths: Paths) -> Iterator[str]:
        dear = [one for one in self.changes if one.cost == "outage"]
        if dear and _mounted(package, paths):
            yield from (f"{one}: is an outage, and this node is in the cluster; nothing was changed" for one in dear)
            yield f"on every node: {STOP}; then on every node: dpkg-reconfigure nfsha-node"

    def may_interrupt(self, paths: Paths) -> bool:
        """Whether programs may be told at once: not when that would be a switchover, and this node serves."""
        return worst(self.changes) == "reload" or not paths.now("open").exists()


def of(package: str, site: Site, paths: Paths) -> Impact:
    """Against the site that the package was configured with last; nothing is known to change where there is none.

    What only the target looks at changes nothing on another machine.
    """
    before = load.known(read(paths.configured_site(package)) or read(paths.site), str(paths.site))
    found = differences(before, site) if before else ()
    return Impact(before, site, tuple(one for one in found if package == TARGET or not one.setting.of_target))


def _mounted(package: str, paths: Paths) -> bool:
    return package == NODE and bool(mounts.ocfs2(paths))
