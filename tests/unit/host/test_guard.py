"""What a node does about the other: it is fenced or left alone; and a node that was declared dead resets itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.host import guard, heartbeat, journals, reservation
from nfsha_config.host.guard import Guard
from nfsha_config.host.heartbeat import Beat, Region
from nfsha_config.paths import Paths, templates
from nfsha_config.problems import Refused

from . import disks
from .standins import Clock, Peer, block, keeps

SITE = disks.site()
TIMINGS = SITE.timings
LUN = Path(SITE.lun_path)
ONE = reservation.key(1)
KEPT = (TIMINGS.o2cb_threshold + 1) * 2.0
_UNIT = templates() / "nfsha-node/usr/lib/systemd/system/nfsha-fence.service"
MOUNTS = "a /var/lib/nfs ocfs2 rw 0 0\nb /srv/nfs4/data ocfs2 rw 0 0\n"


class Cluster:
    """Node 1, and node 2 as node 1 sees it. The device of each volume is a file; a step takes as long as a beat."""

    def __init__(self, clock: Clock, paths: Paths, volumes: list[Path], peer: Peer, guard: Guard) -> None:
        self.clock, self.paths, self.volumes, self.peer, self.guard = clock, paths, volumes, peer, guard
        self.seq = 1700000000
        self.beating = True

    def write(self, node: int, generation: int = 0x1234) -> None:
        for volume in self.volumes:
            disks.poke(volume, 512 * node, block(self.seq, node, generation))

    def step(self, times: int = 1) -> None:
        """Node 1 beats, and node 2 if it does; then node 1 looks."""
        for _ in range(times):
            self.seq += 2
            self.clock.now += 1.5
            self.write(1)
            if self.beating:
                self.write(2)
            self.guard.step()

    def set(self, name: str) -> None:
        self.paths.now(name).touch()

    def live(self, nodes: str) -> None:
        self.paths.at("/sys/kernel/debug/o2hb/livenodes").write_text(f"{nodes}\n")

    def said(self, name: str) -> str:
        place = self.paths.now(name)
        return place.read_text() if place.exists() else "-"

    def gone(self) -> list[bool]:
        """Whether node 2 is marked as gone, in each volume."""
        return [guarded.read()[2].generation == 0 for guarded in self.guard.regions]


@pytest.fixture
def cluster(clock: Clock, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Both nodes are well, and node 1 has looked twice."""
    paths = Paths(tmp_path / "root")
    for folder in ("/run/nfsha", "/sys/kernel/debug/o2hb", "/dev", "/proc/self"):
        paths.at(folder).mkdir(parents=True)
    paths.at("/proc/self/mounts").write_text(MOUNTS)
    # A tmpfs takes no O_DIRECT.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        volumes = [Path(folder, "volume-part1"), Path(folder, "volume-part2")]
        for volume in volumes:
            volume.write_bytes(bytes(4096))
        peer = Peer()
        monkeypatch.setattr(guard, "Echo", lambda address: peer)
        monkeypatch.setattr(heartbeat, "find", lambda device, nodes: Region(volumes[int(device.name[-1]) - 1], 0, nodes))
        monkeypatch.setattr(journals, "find", lambda device: [])
        made = Cluster(clock, paths, volumes, peer, Guard(SITE, 1, 2, paths))
        made.live("1 2")
        made.step(2)
        yield made


def test_while_all_is_well_nothing_is_done(cluster: Cluster, target: Path) -> None:
    cluster.set("master")
    cluster.set("held")
    cluster.step(10)
    assert cluster.gone() == [False, False] and cluster.said("isolated") == "0\n"
    assert not (target / "calls").exists()


def test_a_dead_node_is_kept_out_and_declared_dead(cluster: Cluster, target: Path) -> None:
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    cluster.step(TIMINGS.fence_after + 1)
    assert cluster.gone() == [True, True]
    assert keeps(target, ONE)
    assert cluster.said("fenced").startswith("nfs2 ")
    cluster.live("1")
    cluster.step()
    assert cluster.said("prevails") == "1\n", "should it run on, it gives up the address"
    cluster.step(int(KEPT / 2) + 2)
    assert reservation.holder(LUN) is None, "everybody may write again"
    assert cluster.said("prevails") == "0\n", "it has reset itself by now"


def test_a_node_that_serves_prevails_over_a_dead_one(cluster: Cluster) -> None:
    cluster.set("held")
    cluster.step()
    assert cluster.said("prevails") == "0\n"
    cluster.live("1")
    cluster.step()
    assert cluster.said("prevails") == "1\n"
    cluster.live("1 2")
    cluster.step()
    assert cluster.said("prevails") == "0\n"


def test_the_super_lock_is_held_before_the_node_is_declared_dead(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the file system has it (host/recovery.py)."""
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    seen: list[list[bool]] = []
    monkeypatch.setattr(cluster.guard.recovery, "hasten", lambda: seen.append(cluster.gone()))
    cluster.step(TIMINGS.fence_after + 1)
    assert seen == [[False, False]] and cluster.gone() == [True, True]


def test_stopped_it_leaves_nothing_in_dlmfs(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the node would stay in the lock's domain when the volumes are unmounted."""
    cluster.paths.at("/dlm").mkdir()
    for region in SITE.regions:
        state = cluster.paths.dlm_state(region)
        state.parent.mkdir(parents=True)
        state.write_text("Domain Map: 1 2 \nRecovery Map: \n")

    def step() -> None:
        cluster.guard.recovery.hasten()
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(cluster.guard, "step", step)
    before = signal.getsignal(signal.SIGTERM)
    try:
        cluster.guard.run()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert list(cluster.paths.at("/dlm").iterdir()) == []


def test_the_super_lock_is_let_go_of_when_the_node_answers(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one that could not be fenced, and was only slow."""
    def refuse(device: Path, own: int) -> None:
        raise Refused("the target takes no reservations")

    monkeypatch.setattr(reservation, "take", refuse)
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    cluster.step(TIMINGS.fence_after + 1)
    assert not cluster.guard.recovery.over.is_set()
    cluster.peer.answers = True
    cluster.step()
    assert cluster.guard.recovery.over.is_set()


def test_a_standby_fences_nobody(cluster: Cluster) -> None:
    cluster.peer.answers = cluster.beating = False
    cluster.step(10)
    assert cluster.gone() == [False, False] and reservation.holder(LUN) is None


@pytest.mark.parametrize("live", ["1", "", "1 12 20"])
def test_a_node_that_o2cb_does_not_know_is_not_fenced(cluster: Cluster, live: str) -> None:
    cluster.live(live)
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    cluster.step(10)
    assert cluster.gone() == [False, False] and reservation.holder(LUN) is None


def test_only_the_last_beat_is_marked(cluster: Cluster) -> None:
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    last = cluster.seq
    cluster.step(TIMINGS.fence_after + 1)
    assert [guarded.read()[2].block for guarded in cluster.guard.regions] == [block(last + 1, 2, 0)] * 2


def test_a_heartbeat_at_the_last_moment_saves_a_node(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    take = reservation.take

    def while_it_beats(device: Path, own: int) -> None:
        take(device, own)
        cluster.write(2)

    monkeypatch.setattr(reservation, "take", while_it_beats)
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    cluster.step(TIMINGS.fence_after + 1)
    assert "nfs2 is not fenced" in caplog.text and "it has made a heartbeat just now" in caplog.text
    assert cluster.guard.recovery.over.is_set()
    assert cluster.gone() == [False, False] and reservation.holder(LUN) is None
    assert cluster.said("fenced") == "-"


def test_a_target_without_reservations_is_asked_once(cluster: Cluster, target: Path, caplog: pytest.LogCaptureFixture) -> None:
    (target / "broken").touch()
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    cluster.step(12)
    assert cluster.gone() == [False, False]
    assert caplog.text.count("counts as dead by o2cb's threshold only") == 1
    assert len((target / "calls").read_text().splitlines()) == 1


def test_a_standby_that_is_cut_off_does_not_claim_the_address(cluster: Cluster) -> None:
    cluster.peer.answers = False
    cluster.step(4)
    assert cluster.said("isolated") == "1\n"
    cluster.peer.answers = True
    cluster.step()
    assert cluster.said("isolated") == "0\n"
    assert cluster.gone() == [False, False]


def test_the_node_that_serves_fences_one_that_is_cut_off(cluster: Cluster, target: Path) -> None:
    cluster.set("held")
    cluster.peer.answers = False
    cluster.step(4)
    assert cluster.gone() == [False, False], "the network may come back"
    for _ in range(4):
        cluster.step()
        if cluster.gone() == [True, True]:
            break
    assert cluster.gone() == [True, True] and keeps(target, ONE) and cluster.said("isolated") == "0\n"


def test_a_node_whose_pings_alone_are_filtered_is_left_alone(cluster: Cluster) -> None:
    """As by a firewall that is loaded one day."""
    sockets = cluster.paths.at("/sys/kernel/debug/o2net/sock_containers")
    sockets.parent.mkdir(parents=True)
    cluster.set("held")
    cluster.peer.answers = False
    for _ in range(20):
        sockets.write_text(f"  remote node:     nfs2\n  data ready:      {int(cluster.clock.now * 1e6)} usecs\n")
        cluster.step()
    assert cluster.gone() == [False, False]
    for _ in range(8):
        cluster.step()
        if cluster.gone() == [True, True]:
            break
    assert cluster.gone() == [True, True], "now o2cb does not hear it either"


def test_a_look_that_took_too_long_decides_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Region.read

    def slow(region: Region) -> dict[int, Beat]:
        cluster.clock.now += 0.6
        return read(region)

    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    monkeypatch.setattr(Region, "read", slow)
    cluster.step(10)
    assert reservation.holder(LUN) is None


def test_a_disk_that_does_not_answer_decides_nothing(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    cluster.set("master")
    cluster.peer.answers = cluster.beating = False
    for guarded in cluster.guard.regions:
        guarded.device.rename(guarded.device.with_suffix(".away"))
    cluster.guard.step()
    assert "No such file" in caplog.text and cluster.said("isolated") == "0\n"


def reset_by(cluster: Cluster) -> str:
    """What was written to the kernel's trigger."""
    trigger = cluster.paths.at("/proc/sysrq-trigger")
    return trigger.read_text() if trigger.exists() else ""


def test_a_node_that_was_declared_dead_resets_itself(cluster: Cluster) -> None:
    assert reset_by(cluster) == ""
    cluster.write(1, 0)
    cluster.guard.step()
    assert reset_by(cluster) == "b"
    assert "nfs2 has declared this node dead: resetting" in cluster.paths.at("/dev/kmsg").read_text()


@pytest.mark.parametrize(("fences", "iqn", "state", "said"), [
    (True, SITE.storage.iqn, "FAILED", "b"), (True, SITE.storage.iqn, "LOGGED_IN", ""),
    (True, "iqn.2001-04.com.example:other", "FAILED", ""), (False, SITE.storage.iqn, "FAILED", ""),
])  # fmt: skip
def test_a_node_that_fences_resets_itself_when_its_session_breaks(
    cluster: Cluster, fences: bool, iqn: str, state: str, said: str
) -> None:
    """Else the target would refuse what the kernel sends anew."""
    if fences:
        cluster.set("master")
        cluster.peer.answers = cluster.beating = False
        cluster.step(TIMINGS.fence_after + 1)
    session = cluster.paths.at("/sys/class/iscsi_session/session1")
    session.mkdir(parents=True)
    (session / "targetname").write_text(f"{iqn}\n")
    (session / "state").write_text(f"{state}\n")
    cluster.guard.glance()
    assert reset_by(cluster) == said


def test_one_volume_is_enough(cluster: Cluster) -> None:
    disks.poke(cluster.volumes[1], 512, block(cluster.seq, 1, 0))
    cluster.guard.step()
    assert reset_by(cluster) == "b"


@pytest.mark.parametrize(
    "left",
    [
        pytest.param("", id="both"),
        pytest.param("a /var/lib/nfs ocfs2 rw 0 0\n", id="the data"),
        pytest.param("b /srv/nfs4/data ocfs2 rw 0 0\n", id="the state"),
        pytest.param(MOUNTS.replace("ocfs2", "ext4"), id="both, and something else is there"),
    ],
)
def test_a_node_that_has_unmounted_does_not_reset_itself(cluster: Cluster, left: str) -> None:
    """It says itself that it is gone, with the same mark."""
    cluster.paths.at("/proc/self/mounts").write_text(left)
    cluster.write(1, 0)
    cluster.guard.step()
    assert reset_by(cluster) == ""
    cluster.write(1, 0x5678)
    cluster.paths.at("/proc/self/mounts").write_text(MOUNTS)
    cluster.guard.step()
    assert reset_by(cluster) == "", "mounted again, it lives"
    cluster.write(1, 0)
    cluster.guard.step()
    assert reset_by(cluster) == "b"


def test_a_mark_of_an_earlier_life_resets_nobody(cluster: Cluster) -> None:
    anew = Guard(SITE, 1, 2, cluster.paths)
    cluster.write(1, 0)
    anew.step()
    disks.poke(cluster.volumes[0], 512, b"torn")
    anew.step()
    assert reset_by(cluster) == ""
    cluster.write(1)
    anew.step()
    disks.poke(cluster.volumes[0], 512, b"torn")
    anew.step()
    assert reset_by(cluster) == ""


@pytest.mark.parametrize("file", ["isolated", "prevails"])
def test_stopped_it_tells_keepalived_nothing_any_more(cluster: Cluster, file: str) -> None:
    """By what its unit runs then, since it may have been killed."""
    if file == "isolated":
        cluster.peer.answers = False
        cluster.step(4)
    else:
        cluster.set("held")
        cluster.live("1")
        cluster.step()
    assert cluster.said(file) == "1\n"
    last = re.search("(?m)^ExecStopPost=(.*)$", _UNIT.read_text())
    assert last is not None
    folder = cluster.guard.paths.now(file).parent
    subprocess.run(["sh", "-c", last[1].replace("$$", "$").replace("/run/nfsha", str(folder))], check=True, timeout=10)
    assert cluster.said(file) == "0\n"
