"""A node without a cluster, as nfsha-health.service looks at it."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

from nfsha_config.host.health import Health
from nfsha_config.paths import Paths

from . import disks
from .standins import Peer

SITE = disks.site()
MOUNTS = "/dev/sda1 /var/lib/nfs ocfs2 rw 0 0\n/dev/sda2 /srv/nfs4/data ocfs2 rw 0 0\nproc /proc proc rw 0 0\n"
COUNTERS = "/proc/net/rpc/nfsd"
NFSDCLD = "/sys/fs/cgroup/system.slice/nfsdcld.service/cgroup.procs"
NFT = """
[ "$*" = "list table inet nfsha" ] || exit 1
cat table
[ -e ../root/run/nfsha/open ] || printf '\\t\\tdrop\\n\\t\\tdrop\\n'
"""
"""Shows the gate while there is the file `table`, which says what else is in it: closed where the node does not serve."""
ARPING = """
echo "$*" >>asked
echo 'ARPING 192.168.50.10 from 0.0.0.0 eth1'
! [ -e twin ] || { cat twin; exit 1; }
"""
"""Says that another machine has the address while there is the file `twin`, which is what that machine answers."""


class Node:
    """A node in a temporary root; nft shows `table` while it is there, systemctl only notes what it shall do."""

    def __init__(self, programs: Path, paths: Paths, peer: Peer) -> None:
        self.programs, self.paths, self.peer = programs, paths, peer
        self.health = Health(SITE, paths)
        self.health.server.address = IPv4Address("127.0.0.1")

    def put(self, place: str, text: str = "") -> None:
        path = self.paths.at(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def take(self, place: str) -> None:
        self.paths.at(place).unlink()

    def done(self) -> list[str]:
        """What systemctl was asked for."""
        notes = self.programs / "notes"
        return notes.read_text().splitlines() if notes.exists() else []

    def states(self, words: str) -> None:
        """What systemctl shows of the units below the volumes, and of these."""
        (self.programs / "states").write_text("\n\n".join(words.split()))

    def heartbeat(self, uuid: object, milliseconds: int) -> None:
        region = str(uuid).replace("-", "").upper()
        self.put(f"/sys/kernel/debug/o2hb/{region}/elapsed_time_in_ms", f"{milliseconds}\n")

    def serve(self) -> None:
        self.put("/run/nfsha/open")
        self.put(COUNTERS, "rc 0 0 0\nth 8 0\n")
        self.put(NFSDCLD, "812\n")

    def look(self, now: float) -> str:
        """A look, at the end of which no trial runs that can end."""
        said = self.health.look(now)
        for trial in self.health.trials.values():
            if trial.process is not None:
                trial.process.wait(10)
        return said
