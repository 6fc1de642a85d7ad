"""nfsha-health.service: whether this node may serve, or could; keepalived is told, and so is who asks for the status.

keepalived only watches a file, so that neither a slow machine nor a hanging disk is in its way. What helps is tried
first: a server without threads is started again, as is an iscsid that finds no way back to the target; a gate that
another program changed is put back.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections import defaultdict, deque

from nfsha_config.file import overwrite, read
from nfsha_config.host import heartbeat, iscsi, mounts, nfsd
from nfsha_config.host.claim import Claim
from nfsha_config.host.duplicate import other_owner
from nfsha_config.host.gate import Gate
from nfsha_config.host.inquiry import Inquiry
from nfsha_config.host.keepalived import Watchdog
from nfsha_config.host.promotion import READY
from nfsha_config.host.relogin import Relogin
from nfsha_config.host.revival import Revival
from nfsha_config.host.trial import Trial
from nfsha_config.host.unresolved import Unresolved
from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT, Paths
from nfsha_config.problems import CommandFailed
from nfsha_config.run import run
from nfsha_config.site import load
from nfsha_config.site.model import Site

log = logging.getLogger(__name__)

MENDED = 60.0
"""Seconds for which a node that has failed stays unfit, so that the service does not go to and fro."""
LETS_GO = 80.0
"""Seconds after which a node whose server does not end resets itself: twice its TimeoutStopSec (nfs-server.service)."""

_SERVER, _NFSDCLD, _LOCK = "nfs-server.service", "nfsdcld.service", "nfsha-active.target"
# Seconds between two looks.
_LOOK = 2.0
# Seconds between two looks at the gate: each starts a program.
_GATE = 5.0
# Seconds after the opening of the gate in which clients come back.
_CALM = 4.0
# Seconds between two attempts to mend the same thing.
_RETRY = 10.0
# How often the same is started again within so many seconds, before it is given up.
_TIMES, _OFTEN = 2, 120.0
# Seconds after which a master should have the lock, or wait for it.
_PROMPT = 4.0
# Seconds without a good answer after which the server is started again, and after which that has not helped.
_RESTART, _DEAD = 15.0, 45.0
# Seconds between two questions whether another machine has the virtual address.
_ASK = 10.0
# Seconds since a node's own last heartbeat, after which it could not take over; several times their distance of 2 s.
_DISK = 10.0
# Seconds for which the trial of a write hangs on a volume that stands still.
_STILL = 4.0


class Health:
    """The looks at one node."""

    def __init__(self, site: Site, paths: Paths) -> None:
        self.site, self.paths = site, paths
        self.server = Inquiry(site.network.virtual_address.ip, site.cluster.name, paths)
        self.gate = Gate(paths)
        self.keepalived = Watchdog(site.timings.vrrp_interval, paths)
        self.trials = {region: Trial(paths.at(mount)) for region, mount in site.regions.items()}
        self.unresolved = Unresolved(paths)
        self.claim = Claim(site.network.virtual_address.ip, paths)
        self.revival = Revival(site)
        self.relogin = Relogin(site, paths)
        # A file system waits while o2cb makes sure that another node is dead, and recovers it.
        self.hangs = 2 * site.timings.o2cb_threshold * heartbeat.SECONDS
        self.failed: tuple[float, str] | None = None
        self.claimed: float | None = None
        # Since when it has had the lock without serving, and has waited for it.
        self.closed: float | None = None
        self.waiting: float | None = None
        # Seconds; None while the gate is closed. One that is open when this program starts may have been so for long.
        self.opened: float | None = float("-inf")
        # The last times of each unit.
        self.mended: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_TIMES))
        # Since when nfsdcld was missing.
        self.forgetful: float | None = None
        self.gate_asked = float("-inf")
        self.gate_fault = ""
        # When the server was started again for its silence.
        self.revived = float("-inf")
        self.asked = float("-inf")
        # Whether another machine answered for the virtual address when last asked.
        self.answered_too = False

    def look(self, now: float) -> str:
        """Why this node is unfit to serve, "" if it is fit. now: seconds of the monotonic clock."""
        self.claim.look(now)
        self.relogin.look(now)
        simple = self._unable(now)
        if simple:
            return simple
        failure = self._failure(now)
        if failure:
            self.failed = now + MENDED, failure
        if self.failed and now < self.failed[0]:
            return self.failed[1]
        self.failed = None
        return ""

    def _unable(self, now: float) -> str:
        """What keeps a node from serving as long as it lasts."""
        if self.paths.maintenance.exists():
            return "in maintenance, until: nfsha maintenance off"
        mounted = mounts.options(self.paths)
        for place in (STATE_MOUNT, DATA_MOUNT):
            if place not in mounted:
                self.revival.look(now)
                return f"{place} is not mounted"
            if "ro" in mounted[place]:
                return f"{place} has become read-only; see journalctl --dmesg, and reboot this node"
        # Asked at each look, since it notes when the gate was opened.
        promoting = self._promoting(now)
        if promoting:
            self.keepalived.forget()
        if self.gate_fault or (now - self.gate_asked >= _GATE and not promoting):
            self.gate_fault = self.gate.look()
            self.gate_asked = now
            self.keepalived.count(self.gate.listed)
        self.keepalived.look(now)
        return self.gate_fault

    def _promoting(self, now: float) -> bool:
        """Whether clients wait for this node, or come back to it just now: each program started then delays them."""
        if not self.paths.now("open").exists():
            self.opened = None
            return self.paths.now("held").exists()
        if self.opened is None:
            self.opened = now
        return now - self.opened < _CALM

    def _failure(self, now: float) -> str:
        """What went wrong on a node that serves, or should be able to."""
        if not self.paths.now("master").exists():
            self.claimed = None
        elif self.claimed is None:
            self.claimed = now
        serves, holds = self.paths.now("open").exists(), self.paths.now("held").exists()
        waits = self.claimed is not None and not holds and not serves
        self.closed = self._since(self.closed, now) if holds and not serves else None
        self.waiting = self._since(self.waiting, now) if waits else None
        if serves:
            return "" if self._promoting(now) else self._serving(now)
        self.server.forget()
        self.forgetful = None
        self.answered_too = False
        if self.closed is not None:
            late = "holds the lock, but is not ready to serve; see: journalctl -u nfsha-open -u nfs-server"
            return late if now - self.closed > READY else ""
        return self._claiming(now) if waits else self._standing_by()

    def _since(self, before: float | None, now: float) -> float:
        """The beginning of what goes on; it begins anew while the disk does not answer, since all waits for that."""
        return now if before is None or any(map(self._mute, self.trials)) else before

    def _claiming(self, now: float) -> str:
        if self.waiting is not None and now - self.waiting > LETS_GO + self.hangs + READY:
            return "waits for the lock in vain: another node has not let go of it; see: nfsha status"
        late = self.claimed is not None and now - self.claimed >= _PROMPT
        # A holder that was killed has left nothing behind.
        if late and not read(self.paths.processes("nfsha-active.service")):
            if self._often(_LOCK, now):
                return "can't ask for the lock; see: journalctl -u nfsha-active"
            self._mend(_LOCK, "start", now)
        return ""

    def _standing_by(self) -> str:
        for region in self.trials:
            if self._since_heartbeat(region) > _DISK:
                return f"the shared disk has not answered for {_DISK:.0f} s"
        return ""

    def _serving(self, now: float) -> str:
        if not nfsd.threads(self.paths):
            if self._often(_SERVER, now):
                return "the NFS server ends again and again; see: journalctl -u nfs-server"
            # `rpc.nfsd 0` ends the server behind systemd's back.
            self._mend(_SERVER, "restart", now)
        if self._without_nfsdcld(now) > READY:
            return "nfsdcld does not run, so the next node would know no client; see: journalctl -u nfsdcld"
        self.server.look(now)
        failure = self._volumes(now) or self._silence(now)
        if not failure:
            self._look_for_another_owner(now)
            self.unresolved.look(now)
        return failure

    def _volumes(self, now: float) -> str:
        """Try them, at once where the server has not answered: while one stands still, it need not.

        Each of its threads may wait for the disk then, as many writes as clients sent, and none is left for a question.
        """
        for region, trial in self.trials.items():
            if self.server.error:
                trial.hurry()
            hangs = trial.look(now)
            if trial.error:
                return f"{trial.mount} can't be written: {trial.error}"
            mute = self._mute(region)
            # A disk that hangs is o2cb's to judge: it may hang for all nodes, and none could do better.
            if hangs > self.hangs and not mute:
                return f"{trial.mount} hangs for {hangs:.0f} s, though the disk answers"
            if mute:
                trial.excuse(now)
            if hangs > _STILL or mute:
                self.server.excuse()
        return ""

    def _silence(self, now: float) -> str:
        """What a server comes to that gives no good answer."""
        silent = self.server.silent(now)
        in_vain = self.server.answered < self.revived
        # A restart closes the gate meanwhile, and the silence begins anew. One that did not help is not tried again.
        if silent > _DEAD or (silent > _RESTART and in_vain and now - silent > self.revived):
            return f"the NFS server does not answer: {self.server.error}"
        if silent > _RESTART and not in_vain:
            log.warning("the NFS server does not answer, and is started again: %s", self.server.error)
            self.revived = now
            self._mend(_SERVER, "restart", now)
        return ""

    def _without_nfsdcld(self, now: float) -> float:
        """For how many seconds. systemd starts it again, but for one that ends too often."""
        if read(self.paths.processes(_NFSDCLD)):
            self.forgetful = None
            return 0.0
        if self.forgetful is None:
            self.forgetful = now
        elif now - self.forgetful >= _PROMPT:
            self._mend(_NFSDCLD, "start", now)
        return now - self.forgetful

    def _look_for_another_owner(self, now: float) -> None:
        """It can't be mended from here; a person must hear of it.

        Once two questions in a row were answered: an heir has the address some seconds before the gate here is closed.
        """
        if now - self.asked < _ASK:
            return
        self.asked = now
        try:
            owner = other_owner(self.site.network)
        except CommandFailed as error:
            log.warning("%s", error)
            return
        told = owner if self.answered_too else ""
        self.answered_too = bool(owner)
        if overwrite(self.paths.now("duplicate"), told) and told:
            log.warning("%s: %s answers for it, too", self.site.network.virtual_address.ip, told)

    def _since_heartbeat(self, region: str) -> float:
        """Seconds since this node's last heartbeat in a volume was written (heartbeat.c, elapsed_time_in_ms)."""
        elapsed = read(self.paths.at(f"/sys/kernel/debug/o2hb/{region}/elapsed_time_in_ms"))
        return int(elapsed or 0) / 1000

    def _mute(self, region: str) -> bool:
        return self._since_heartbeat(region) >= _DISK

    def _mend(self, unit: str, verb: str, now: float) -> None:
        times = self.mended[unit]
        if not times or now - times[-1] >= _RETRY:
            times.append(now)
            run(["systemctl", verb, "--no-block", unit], check=False)

    def _often(self, unit: str, now: float) -> bool:
        """Whether it was mended so often that one more time would not help, and the last time is over."""
        times = self.mended[unit]
        return len(times) == _TIMES and now - times[0] < _OFTEN and now - times[-1] >= _RETRY


def main(paths: Paths) -> None:
    """Look again and again until stopped."""
    site = load.load_file(paths.site)
    # A node that runs does not log in anew after an upgrade.
    iscsi.repeat_without_end(site, paths)
    health = Health(site, paths)
    while True:
        tell(_look(health), paths)
        alive()
        time.sleep(_LOOK)


def _look(health: Health) -> str:
    try:
        return health.look(time.monotonic())
    except CommandFailed as error:
        return str(error)


def tell(unfit: str, paths: Paths) -> None:
    """Say it to keepalived, which watches the first file (keepalived.conf(5), track_file), and to the report."""
    overwrite(paths.now("fault"), f"{int(bool(unfit))}\n")
    if overwrite(paths.now("unfit"), unfit):
        log.info("%s", f"unfit to serve: {unfit}" if unfit else "fit to serve")


def alive() -> None:
    """Tell systemd that this program is ready, and goes on (sd_notify(3)); it starts one anew that does not."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(b"READY=1\nWATCHDOG=1", address.replace("@", "\0", 1) if address[0] == "@" else address)
