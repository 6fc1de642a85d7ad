"""A node is unfit for as long as something keeps it from serving; what can be mended is mended first."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace

import pytest

from nfsha_config.host import claim, gate, health
from nfsha_config.host.health import MENDED, READY
from nfsha_config.host.trial import Trial
from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT
from nfsha_config.problems import CommandFailed
from nfsha_config.site import load

from .looked_at import MOUNTS, SITE, Node
from .nfsserver import Server
from .standins import program

ACTIVE = "/sys/fs/cgroup/system.slice/nfsha-active.service/cgroup.procs"


def test_a_standby_that_is_well(node: Node) -> None:
    assert node.look(0.0) == "" and node.done() == []


def test_maintenance_lasts_as_long_as_its_file(node: Node) -> None:
    node.put("/var/lib/nfsha/maintenance")
    assert node.look(0.0) == "in maintenance, until: nfsha maintenance off"
    node.take("/var/lib/nfsha/maintenance")
    assert node.look(2.0) == ""


@pytest.mark.parametrize("mount", [STATE_MOUNT, DATA_MOUNT])
def test_a_volume_that_is_not_mounted(node: Node, mount: str) -> None:
    node.put("/proc/self/mounts", "".join(line for line in MOUNTS.splitlines(keepends=True) if mount not in line))
    assert node.look(0.0) == f"{mount} is not mounted"
    node.put("/proc/self/mounts", MOUNTS.replace(f"{mount} ocfs2", f"{mount} ext4"))
    assert node.look(2.0) == f"{mount} is not mounted"
    node.put("/proc/self/mounts", MOUNTS)
    assert node.look(4.0) == ""


@pytest.mark.parametrize("mount", [STATE_MOUNT, DATA_MOUNT])
def test_a_volume_that_became_read_only(node: Node, mount: str) -> None:
    node.put("/proc/self/mounts", MOUNTS.replace(f"{mount} ocfs2 rw", f"{mount} ocfs2 ro,noatime"))
    assert node.look(0.0) == f"{mount} has become read-only; see journalctl --dmesg, and reboot this node"
    node.put("/proc/self/mounts", MOUNTS.replace("rw", "rw,errors=remount-ro"))
    assert node.look(2.0) == ""


def test_a_mount_that_failed_is_tried_again(node: Node) -> None:
    """When a fence would be over; and less often where the other node can't be reached, which would fence it anew."""
    node.put("/proc/self/mounts")
    node.states("active active failed inactive")
    assert all(node.look(now) for now in (0.0, 2.0, 60.0, 63.9)) and node.done() == []
    node.look(64.0)
    assert node.done() == ["start --no-block nfsha-node.target"]
    node.peer.answers = False
    for now in (80.0, 140.0, 217.9):
        node.look(now)
    assert len(node.done()) == 1
    node.look(218.0)
    assert len(node.done()) == 2
    node.peer.answers = True
    node.put("/var/lib/nfsha/maintenance")
    assert node.look(400.0) and len(node.done()) == 2
    node.take("/var/lib/nfsha/maintenance")
    node.put("/proc/self/mounts", MOUNTS)
    assert node.look(500.0) == "" and len(node.done()) == 2


@pytest.mark.parametrize(
    ("states", "tried"),
    [
        ("failed inactive inactive inactive", True),
        ("active active active failed", True),
        ("active failed failed failed", True),
        ("active active activating inactive", False),
        # Somebody stopped the first one, and what failed before stays failed (systemctl(1), reset-failed).
        ("inactive inactive failed inactive", False),
        ("active inactive failed failed", False),
        ("active active inactive failed", False),
    ],
)
def test_what_an_admin_has_stopped_stays_so(node: Node, states: str, tried: bool) -> None:
    node.put("/proc/self/mounts")
    node.states(states)
    node.look(0.0)
    node.look(64.0)
    assert bool(node.done()) is tried


def test_a_gate_that_was_flushed_away_is_put_back(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node that is promoted when clients are back."""
    program(node.programs, "restore", '[ "$*" = restore ] && touch table', monkeypatch)
    monkeypatch.setattr(gate, "PROGRAM", str(node.programs / "bin" / "restore"))
    table = node.programs / "table"
    for now, place in ((0.0, "/run/nfsha/held"), (3.0, "/run/nfsha/open")):
        table.unlink(missing_ok=True)
        node.put(place)
        assert node.look(now) == "" and not table.exists()
    node.look(7.0)
    assert table.exists()


def test_a_gate_that_does_not_come_back(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at each time then."""
    monkeypatch.setattr(gate, "PROGRAM", "false")
    (node.programs / "table").unlink()
    assert node.look(0.0) == "the gate is gone, and can't be put back"
    (node.programs / "table").touch()
    assert node.look(2.0) == ""


@pytest.mark.skipif(Path(gate.PROGRAM).exists(), reason="this machine has nfsha's gate")
def test_a_program_that_is_missing_makes_a_node_unfit(node: Node) -> None:
    (node.programs / "table").unlink()
    with pytest.raises(CommandFailed):
        node.look(0.0)
    assert f"{gate.PROGRAM} is not installed" in health._look(node.health)


def test_a_promotion_that_does_not_end_makes_a_node_unfit_for_a_minute(node: Node) -> None:
    node.put("/run/nfsha/master")
    node.put("/run/nfsha/held")
    assert (node.look(100.0), node.look(100.0 + READY)) == ("", "")
    assert node.look(131.0).startswith("holds the lock, but is not ready to serve")
    node.take("/run/nfsha/master")
    node.take("/run/nfsha/held")
    assert node.look(130.9 + MENDED).startswith("holds the lock, but is not ready to serve")
    assert node.look(131.0 + MENDED) == ""
    assert node.done() == []


def test_a_promotion_waits_for_the_disk(node: Node) -> None:
    node.put("/run/nfsha/master")
    node.put("/run/nfsha/held")
    node.heartbeat(SITE.state_uuid, 10000)
    assert [node.look(now) for now in (0.0, 31.0, 90.0)] == [""] * 3
    node.heartbeat(SITE.state_uuid, 100)
    assert node.look(90.0 + READY) == "" and node.look(91.0 + READY).startswith("holds the lock")


def test_a_lock_that_does_not_come_makes_a_node_unfit(node: Node) -> None:
    """Later than that of a dead node would; what it waited for is forgotten when it has it."""
    limit = 80.0 + 4.0 * SITE.timings.o2cb_threshold + READY
    node.put("/run/nfsha/master")
    node.put("/sys/fs/cgroup/system.slice/nfsha-active.service/cgroup.procs", "812\n")
    assert (node.look(0.0), node.look(limit)) == ("", "")
    node.put("/run/nfsha/open")
    node.put("/run/nfsha/held")
    assert node.look(limit + 1.0) == ""
    node.take("/run/nfsha/open")
    node.take("/run/nfsha/held")
    assert (node.look(1000.0), node.look(1000.0 + limit)) == ("", "")
    assert node.look(1001.0 + limit).startswith("waits for the lock in vain")
    assert node.done() == []


def test_a_failure_that_goes_on_is_counted_from_its_end(node: Node) -> None:
    node.put("/run/nfsha/held")
    assert not node.look(0.0) and node.look(31.0) and node.look(200.0)
    node.take("/run/nfsha/held")
    assert node.look(199.9 + MENDED) and not node.look(200.0 + MENDED)


def test_maintenance_is_said_before_a_failure(node: Node) -> None:
    node.put("/run/nfsha/held")
    assert node.look(0.0) == ""
    assert node.look(31.0).startswith("holds the lock")
    node.put("/var/lib/nfsha/maintenance")
    assert node.look(32.0).startswith("in maintenance")
    node.take("/var/lib/nfsha/maintenance")
    assert node.look(33.0).startswith("holds the lock")


def test_a_master_without_the_lock_asks_for_it_every_ten_seconds(node: Node) -> None:
    """At first it leaves that to notify."""
    node.put("/run/nfsha/master")
    assert (node.look(0.0), node.look(3.9)) == ("", "") and node.done() == []
    assert [node.look(now) for now in (4.0, 6.0, 13.9, 14.0)] == [""] * 4
    assert node.done() == ["start --no-block nfsha-active.target"] * 2


def test_a_master_that_can_not_ask_for_the_lock_gives_the_address_up(node: Node) -> None:
    """As where the state volume takes no writes: the other node may do better."""
    node.put("/run/nfsha/master")
    assert [node.look(now) for now in (0.0, 4.0, 14.0, 23.9)] == [""] * 4
    assert node.look(24.0) == "can't ask for the lock; see: journalctl -u nfsha-active"
    node.take("/run/nfsha/master")
    assert node.look(23.9 + MENDED) and node.look(24.0 + MENDED) == ""


def test_a_node_that_is_not_master_lets_go(node: Node) -> None:
    """A stop by notify may fail, and be overtaken by a start."""
    node.put(ACTIVE, "1372\n")
    assert [node.look(now) for now in (0.0, 9.9)] == [""] * 2 and node.done() == []
    node.look(10.0)
    assert node.done() == ["stop --no-block nfsha-active.service"]
    node.take(ACTIVE)
    node.look(20.0)
    node.put(ACTIVE, "1373\n")
    node.look(22.0)
    node.put("/run/nfsha/master")
    node.look(32.0)
    assert len(node.done()) == 1


def test_a_master_without_the_address_begins_anew(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two notices in one moment the older one may come last, and then nobody serves."""
    asked = []
    monkeypatch.setattr(claim, "is_here", lambda address: asked.append(address))
    node.put("/run/nfsha/master")
    node.put(ACTIVE, "1372\n")
    for now in (0.0, 9.9, 10.0, 19.9):
        node.look(now)
    assert node.done() == ["try-restart --no-block keepalived.service"]
    assert set(asked) == {SITE.network.virtual_address.ip}


def test_only_an_address_of_this_machine_is_here() -> None:
    assert claim.is_here(IPv4Address("127.0.0.1")) and not claim.is_here(IPv4Address("192.0.2.10"))


def test_a_master_that_waits_for_the_lock_is_left_alone(node: Node) -> None:
    node.put("/run/nfsha/master")
    node.put(ACTIVE, "1372\n")
    assert [node.look(now) for now in (0.0, 4.0, 60.0)] == [""] * 3 and node.done() == []
    node.take(ACTIVE)
    assert node.look(62.0) == "" and node.done() == ["start --no-block nfsha-active.target"]


def test_a_master_that_loses_the_lock_asks_for_it_at_once(node: Node) -> None:
    node.put("/run/nfsha/master")
    node.put("/run/nfsha/held")
    assert (node.look(0.0), node.look(5.0)) == ("", "")
    node.take("/run/nfsha/held")
    assert node.look(7.0) == ""
    assert node.done() == ["start --no-block nfsha-active.target"]


@pytest.mark.parametrize("uuid", [SITE.state_uuid, SITE.data_uuid])
def test_a_standby_whose_heartbeat_is_old(node: Node, uuid: object) -> None:
    node.heartbeat(uuid, 10000)
    assert node.look(0.0) == ""
    node.heartbeat(uuid, 12345)
    assert node.look(2.0) == "the shared disk has not answered for 10 s"
    node.heartbeat(uuid, 500)
    assert node.look(2.0 + MENDED) == ""


def test_a_lock_taken_anew_has_its_whole_time(node: Node, server: Server) -> None:
    node.put("/run/nfsha/held")
    assert node.look(0.0) == ""
    node.serve()
    assert node.look(20.0) == ""
    node.take("/run/nfsha/open")
    assert (node.look(25.0), node.look(25.0 + READY)) == ("", "")
    node.take("/run/nfsha/held")
    assert node.look(60.0) == ""
    node.put("/run/nfsha/held")
    assert (node.look(70.0), node.look(70.0 + READY)) == ("", "")
    assert node.look(71.0 + READY).startswith("holds the lock")


def test_a_standby_asks_nobody_for_the_virtual_address(node: Node) -> None:
    assert node.look(0.0) == ""
    assert not (node.programs / "asked").exists()


def test_a_keepalived_that_sends_nothing_is_ended(node: Node) -> None:
    """What it sends is counted in the gate."""
    node.put("/run/keepalived.pid", "70\n")
    node.put("/proc/70/stat", "70 (keepalived) S 1 70\n")
    node.put("/run/nfsha/vrrp", "MASTER\n")
    for now in range(0, 60, 2):
        (node.programs / "table").write_text(f"\t\tip protocol vrrp counter packets {now} bytes {40 * now}\n")
        assert node.look(now) == ""
    assert node.done() == []
    assert (node.look(80.0), node.look(85.0)) == ("", "") and node.done() == []
    assert node.look(88.1) == ""
    assert node.done() == ["kill --signal=KILL keepalived.service"]


@pytest.mark.parametrize("mount", [STATE_MOUNT, DATA_MOUNT])
def test_a_volume_that_can_not_be_written(node: Node, server: Server, mount: str) -> None:
    node.serve()
    node.paths.at(mount).rmdir()
    node.put(mount)
    node.look(0.0)
    assert node.look(2.0) == f"{node.paths.at(mount)} can't be written: Not a directory"


@pytest.fixture
def hanging(node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], str]]:
    """Looks while each write to a volume hangs."""
    flag = node.programs / "hang"
    flag.touch()
    dd = shutil.which("dd")
    program(node.programs, "dd", f'while [ -e hang ]; do sleep 0.05; done\nexec {dd} "$@"', monkeypatch)
    yield node.health.look
    flag.unlink()
    for trial in node.health.trials.values():
        ended(trial)


def ended(trial: Trial) -> None:
    """Wait for the end of a trial that has begun."""
    if trial.process is not None:
        trial.process.wait(10)


def test_a_volume_that_hangs_though_the_disk_answers(node: Node, server: Server, hanging: Callable[[float], str]) -> None:
    node.serve()
    limit = 4.0 * SITE.timings.o2cb_threshold
    assert (hanging(0.0), hanging(limit)) == ("", "")
    why = f"{node.paths.at(STATE_MOUNT)} hangs for {limit + 1:.0f} s, though the disk answers"
    assert hanging(limit + 1) == why


def test_a_disk_that_hangs_is_o2cbs_to_judge(node: Node, server: Server, hanging: Callable[[float], str]) -> None:
    node.serve()
    for uuid in (SITE.state_uuid, SITE.data_uuid):
        node.heartbeat(uuid, 10000)
    assert hanging(0.0) == ""
    assert hanging(4.0 * SITE.timings.o2cb_threshold + 1) == ""
    node.heartbeat(SITE.data_uuid, 9999)
    assert hanging(4.0 * SITE.timings.o2cb_threshold + 2) == "", "the heartbeat is the first that goes on"
    assert hanging(8.0 * SITE.timings.o2cb_threshold + 2).startswith(str(node.paths.at(DATA_MOUNT)))


def test_it_looks_again_and_again_whatever_it_finds(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.put("/etc/nfsha/site.toml", load.LAB.read_text(encoding="utf-8"))
    monkeypatch.setenv("PATH", str(node.programs / "bin"))
    nft = node.programs / "bin" / "nft"
    nft.write_text("#!/bin/sh\nprintf '\\tdrop\\n\\tdrop\\n'\n")
    steps: list[Callable[[], None]] = [lambda: node.put("/var/lib/nfsha/maintenance"), lambda: node.take("/var/lib/nfsha/maintenance"), nft.unlink]
    changes = iter(steps)
    said: list[str] = []

    def sleep(seconds: float) -> None:
        said.append(node.paths.now("unfit").read_text())
        change = next(changes, None)
        if change is None:
            raise KeyboardInterrupt
        change()

    clock = itertools.count(0.0, 5.0)
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=sleep))
    with pytest.raises(KeyboardInterrupt):
        health.main(node.paths)
    assert said[:3] == ["", "in maintenance, until: nfsha maintenance off", ""]
    assert len(said) == 4 and said[3].startswith("nft is not installed")


def test_a_keepalived_is_not_judged_while_nothing_is_counted(node: Node) -> None:
    """A takeover holds the counting up, and it may have been silent before."""
    node.put("/run/keepalived.pid", "70\n")
    node.put("/proc/70/stat", "70 (keepalived) S 1 70\n")
    node.put("/run/nfsha/vrrp", "MASTER\n")
    (node.programs / "table").write_text("\t\tip protocol vrrp counter packets 12 bytes 480\n")
    assert (node.look(0.0), node.look(6.0)) == ("", "")
    node.put("/run/nfsha/held", "")
    for now in range(7, 30, 2):
        assert node.look(now) == ""
    assert node.done() == []
