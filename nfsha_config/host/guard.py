"""nfsha-fence.service: keeps a node that is gone from the disk, and tells o2cb at once that it is dead.

o2cb believes a node dead when its disk heartbeat has been silent for the whole threshold, half a minute and more,
since it can't know whether the node will write again. Here the target is made to refuse the node's writes first, by a
persistent reservation; then the node is marked as gone in its own heartbeat blocks, and the survivors recover at once.

Nothing depends on this program: where it does not run, or the target takes no reservation, o2cb's threshold decides.
It touches no file system of the cluster, since those hang while a node is being recovered.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from threading import Event, Thread

from nfsha_config.file import overwrite, read
from nfsha_config.host import heartbeat, journals, machine, mounts, o2net, session
from nfsha_config.host.echo import Echo
from nfsha_config.host.fence import Fence
from nfsha_config.host.heartbeat import Beat, Region
from nfsha_config.host.lun import volume_devices
from nfsha_config.host.recovery import Recovery
from nfsha_config.host.watch import Look, Verdict, Watch, judge
from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT, Paths
from nfsha_config.problems import CommandFailed, Refused
from nfsha_config.site import load
from nfsha_config.site.model import Site

log = logging.getLogger(__name__)

# Seconds between two looks.
_LOOK = 0.5
# A look that took longer, in seconds, compares what it read with what the network said long before.
_STALE = 1.0


def main(paths: Paths) -> None:
    """Watch the other node until stopped. Raises Refused, CommandFailed or OSError where that can't be begun."""
    site = load.load_file(paths.site)
    node = machine.node_of(machine.load(paths), site, os.uname().nodename)
    others = [other for other in site.nodes if other != node]
    if len(others) != 1:
        log.info("%d nodes: o2cb's threshold alone says when one is dead", len(site.nodes))
        return
    Guard(site, node.number, others[0].number, paths).run()


class _Stopped(Exception):
    """systemd wants this program to end."""


def _stop(*_: object) -> None:
    raise _Stopped


class Guard:
    """One node's watch over the other."""

    def __init__(self, site: Site, node: int, other: int, paths: Paths) -> None:
        self.site, self.paths = site, paths
        self.peer = site.nodes[other - 1]
        self.watch = Watch(node, other)
        self.echo = Echo(self.peer.address)
        self.regions = [heartbeat.find(device, len(site.nodes)) for device in volume_devices(site)]
        self.journals = journals.find_all(site)
        self.fence = Fence(Path(site.lun_path), node, site.timings)
        self.recovery = Recovery(site.regions, other, paths)
        self.own: dict[Region, Beat] = {}
        self.tried = False

    def run(self) -> None:
        """Look again and again, until SIGTERM. A reservation is left for the next run; it may be needed still.

        What keepalived was told is taken back by the unit, also after a run that was killed.
        """
        signal.signal(signal.SIGTERM, _stop)
        over = Event()
        try:
            self.fence.adopt()
            self.recovery.loosen()
            Thread(target=self._glances, args=(over,), daemon=True).start()
            while True:
                self.step()
        except _Stopped:
            log.info("stopped")
        finally:
            over.set()
            self.recovery.leave()

    def step(self) -> None:
        """One look, and what follows from it. The disk may not answer for long; then nothing is known."""
        self.echo.ask()
        time.sleep(_LOOK)
        now = time.monotonic()
        if self.echo.answered():
            self.watch.heard = now
            self.recovery.release()
        try:
            self.fence.care()
            seen = {region: region.read() for region in self.regions}
        except (OSError, CommandFailed, Refused) as error:
            log.warning("%s", error)
            return
        self._reset_if_declared_dead(seen)
        missed = self.watch.beats(seen, now)
        if time.monotonic() - now > _STALE:
            return
        look = Look(
            self._alive(), missed, self.watch.silent(now), self.watch.proven,
            lambda: o2net.lost(self.peer.name, now, self.paths),
            self.paths.now("master").exists(), self.paths.now("held").exists(),
        )  # fmt: skip
        self._act(judge(look, self.site.timings), look)

    def _glances(self, over: Event) -> None:
        """Beside the steps, which hang in the disk when the session breaks."""
        while not over.wait(session.GLANCE):
            self.glance()

    def glance(self) -> None:
        """Reset this node before what it has under way is refused: its clients have heard of no error, and repeat."""
        if self.fence.until is not None and session.broken(self.site.storage.iqn, self.paths):
            reset("its session with the target broke, and in the next one its writes would be refused", self.paths)

    def _alive(self) -> bool:
        """Whether o2cb takes the other node for alive (heartbeat.c, O2HB_DEBUG_LIVENODES)."""
        live = read(self.paths.at("/sys/kernel/debug/o2hb/livenodes")) or ""
        return str(self.watch.other) in live.split()

    def _act(self, verdict: Verdict, look: Look) -> None:
        prevails = self.fence.until is not None or (look.holds and not look.alive)
        self._tell(isolated=verdict is Verdict.ISOLATED, prevails=prevails)
        if verdict is not Verdict.FENCE:
            self.tried = False
            return
        if self.tried:
            # It could not be fenced; o2cb's threshold decides.
            return
        self.tried = True
        beating = look.missed < self.site.timings.fence_after
        what = "lives" if beating else f"has missed {look.missed} heartbeats"
        log.warning("%s can't be reached, and %s: fencing it", self.peer.name, what)
        try:
            self._fence(beating)
        except (OSError, CommandFailed, Refused) as error:
            log.warning("%s is not fenced, and counts as dead by o2cb's threshold only: %s", self.peer.name, error)

    def _tell(self, isolated: bool, prevails: bool) -> None:
        """Tell keepalived, which watches both files (keepalived.conf(5), track_file).

        A node that was taken for dead and runs on, as a paused virtual machine may, believes that it is master: the
        higher priority of the one that took over takes the address from it before clients come back to it.
        """
        overwrite(self.paths.now("prevails"), f"{int(prevails)}\n")
        if overwrite(self.paths.now("isolated"), f"{int(isolated)}\n") and isolated:
            log.warning("the other node lives and can't be reached: this node does not claim the address")

    def _fence(self, beating: bool) -> None:
        start = time.monotonic()
        self.recovery.hasten()
        self.fence.take()
        now = {region: region.read().get(self.watch.other) for region in self.regions}
        beats = {region: beat for region, beat in now.items() if beat is not None}
        if len(beats) != len(self.regions) or (not beating and beats != self.watch.other_beats()):
            self.recovery.release()
            self.fence.give_up()
            raise Refused("it has made a heartbeat just now")
        journals.drop(self.journals)
        for region, beat in beats.items():
            region.mark_down(beat)
        seconds = time.monotonic() - start
        self.paths.now("fenced").write_text(f"{self.peer.name} {seconds:.3f}\n", encoding="utf-8")
        log.warning("%s is fenced and declared dead, in %.1f s", self.peer.name, seconds)

    def _reset_if_declared_dead(self, seen: Mapping[Region, Mapping[int, Beat]]) -> None:
        """The others have recovered what this node had open: whatever it still does is wrong.

        Its own writes are refused by now; o2cb would reset it when its heartbeat has failed for the whole threshold.
        A node that unmounts says itself that it is gone, but then the volume is not mounted any more.
        """
        for region, beats in seen.items():
            own, before = beats.get(self.watch.own), self.own.get(region)
            if own is not None and own.generation:
                self.own[region] = own
            elif own is not None and before is not None and {STATE_MOUNT, DATA_MOUNT} <= mounts.ocfs2(self.paths):
                reset(f"{self.peer.name} has declared this node dead", self.paths)


def reset(why: str, paths: Paths) -> None:
    """Reset the machine without a word to its disks, as o2cb does (Documentation/admin-guide/sysrq.rst)."""
    paths.at("/dev/kmsg").write_text(f"<0>nfsha: {why}: resetting this machine\n", encoding="utf-8")
    paths.at("/proc/sysrq-trigger").write_text("b", encoding="utf-8")
