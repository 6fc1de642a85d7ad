"""A node is unfit for as long as something keeps it from serving; what can be mended is mended first."""

from __future__ import annotations

import itertools
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace

import pytest

from nfsha_config.host import health, nfs41
from nfsha_config.host.health import MENDED, READY, Health
from nfsha_config.host.trial import Trial
from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT, Paths
from nfsha_config.problems import CommandFailed
from nfsha_config.run import run
from nfsha_config.site import load

from . import disks
from .nfsserver import DELAY, Server, serving
from .standins import program

SITE = disks.site()
MOUNTS = "/dev/sda1 /var/lib/nfs ocfs2 rw 0 0\n/dev/sda2 /srv/nfs4/data ocfs2 rw 0 0\nproc /proc proc rw 0 0\n"
GATE = "/usr/libexec/nfsha/gate"
ARPING = """
echo "$*" >>asked
echo 'ARPING 192.168.50.10 from 0.0.0.0 eth1'
! [ -e twin ] || { cat twin; exit 1; }
"""
"""Says that another machine has the address while there is the file `twin`, which is what that machine answers."""


class Node:
    """A node in a temporary root; nft shows `table` while it is there, systemctl only notes what it shall do."""

    def __init__(self, programs: Path, paths: Paths) -> None:
        self.programs, self.paths = programs, paths
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

    def heartbeat(self, uuid: object, milliseconds: int) -> None:
        region = str(uuid).replace("-", "").upper()
        self.put(f"/sys/kernel/debug/o2hb/{region}/elapsed_time_in_ms", f"{milliseconds}\n")

    def serve(self) -> None:
        self.put("/run/nfsha/open")
        self.put("/proc/fs/nfsd/threads", "8\n")

    def look(self, now: float) -> str:
        """A look, at the end of which no trial runs that can end."""
        said = self.health.look(now)
        for trial in self.health.trials.values():
            if trial.process is not None:
                trial.process.wait(10)
        return said


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A standby on which all is well, and nobody listens on the server's port."""
    programs = tmp_path / "programs"
    programs.mkdir()
    program(programs, "nft", '[ "$*" = "list table inet nfsha" ] && cat table', monkeypatch)
    program(programs, "systemctl", 'echo "$*" >>notes', monkeypatch)
    program(programs, "arping", ARPING, monkeypatch)
    (programs / "table").touch()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        monkeypatch.setattr(nfs41, "NFS_PORT", closed.getsockname()[1])
    made = Node(programs, Paths(tmp_path / "root"))
    made.put("/proc/self/mounts", MOUNTS)
    made.paths.now("").mkdir(parents=True)
    for mount in (STATE_MOUNT, DATA_MOUNT):
        made.paths.at(mount).mkdir(parents=True)
    return made


@pytest.fixture
def server(node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The node's server, which answers rightly."""
    with serving(monkeypatch) as started:
        yield started
        node.health.server.forget()


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


def gate(node: Node, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have another program run in the place of the gate's, which this machine has not."""
    program(node.programs, "gate", script, monkeypatch)
    place = node.programs / "bin" / "gate"

    def elsewhere(argv: Sequence[str], *, check: bool) -> object:
        return run([place if word == GATE else word for word in argv], check=check)

    monkeypatch.setattr(health, "run", elsewhere)


def test_a_gate_that_was_flushed_away_is_put_back(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a node that is promoted when clients are back."""
    gate(node, '[ "$*" = restore ] && touch table', monkeypatch)
    table = node.programs / "table"
    for now, place in ((0.0, "/run/nfsha/held"), (3.0, "/run/nfsha/open")):
        table.unlink(missing_ok=True)
        node.put(place)
        assert node.look(now) == "" and not table.exists()
    node.look(7.0)
    assert table.exists()


def test_a_gate_that_does_not_come_back(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    gate(node, "exit 1", monkeypatch)
    (node.programs / "table").unlink()
    assert node.look(0.0) == "the gate is gone, and does not come back"
    (node.programs / "table").touch()
    assert node.look(2.0) == ""


@pytest.mark.skipif(Path(GATE).exists(), reason="this machine has nfsha's gate")
def test_a_program_that_is_missing_makes_a_node_unfit(node: Node) -> None:
    (node.programs / "table").unlink()
    with pytest.raises(CommandFailed):
        node.look(0.0)
    assert f"{GATE} is not installed" in health._look(node.health)


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


def test_a_master_that_waits_for_the_lock_is_left_alone(node: Node) -> None:
    processes = "/sys/fs/cgroup/system.slice/nfsha-active.service/cgroup.procs"
    node.put("/run/nfsha/master")
    node.put(processes, "1372\n")
    assert [node.look(now) for now in (0.0, 4.0, 60.0)] == [""] * 3 and node.done() == []
    node.take(processes)
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
    assert node.look(2.0) == "the shared disk does not answer: last heartbeat 12 s ago"
    node.heartbeat(uuid, 500)
    assert node.look(2.0 + MENDED) == ""


def test_a_node_that_serves(node: Node, server: Server) -> None:
    node.serve()
    node.heartbeat(SITE.state_uuid, 20000)
    for now in range(0, 60, 5):
        assert node.look(now) == ""
    assert server.looks == 12 and node.done() == []


def test_a_server_without_threads_is_started_again(node: Node, server: Server) -> None:
    node.serve()
    node.put("/proc/fs/nfsd/threads", "0\n")
    assert [node.look(now) for now in (0.0, 2.0, 10.0)] == ["", "", ""]
    assert node.done() == ["restart --no-block nfs-server.service"] * 2
    node.take("/proc/fs/nfsd/threads")
    node.look(20.0)
    assert len(node.done()) == 3


def test_a_server_that_does_not_answer_is_started_again_and_then_given_up(node: Node) -> None:
    node.serve()
    assert [node.look(now) for now in (0.0, 10.0, 15.0)] == ["", "", ""]
    assert node.done() == []
    assert [node.look(now) for now in (16.0, 27.0, 45.0)] == ["", "", ""]
    assert node.done() == ["restart --no-block nfs-server.service"], "a restart takes its time; a second one would begin anew"
    assert "the NFS server does not answer: [Errno 111]" in node.look(46.0)


def test_a_server_that_answers_wrongly_is_given_up(node: Node, server: Server) -> None:
    node.serve()
    server.after_sequence = DELAY
    for now in (0.0, 20.0, 40.0):
        assert node.look(now) == ""
    assert f"error {DELAY}" in node.look(46.0)
    server.after_sequence = 0
    assert f"error {DELAY}" in node.look(60.0)
    assert node.look(46.0 + MENDED) == ""


def test_a_server_that_fails_again_later_is_started_again(node: Node, server: Server) -> None:
    node.serve()
    for now, error in ((0.0, DELAY), (16.0, DELAY), (22.0, 0), (30.0, DELAY), (46.0, DELAY)):
        server.after_sequence = error
        assert node.look(now) == ""
    assert node.done() == ["restart --no-block nfs-server.service"] * 2


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


def test_a_server_that_was_stopped_begins_with_a_clean_slate(node: Node) -> None:
    node.serve()
    assert node.look(0.0) == ""
    node.take("/run/nfsha/open")
    assert node.look(40.0) == ""
    node.serve()
    assert node.look(50.0) == "" and node.done() == []


def test_another_machine_with_the_virtual_address_is_reported(node: Node, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    node.serve()
    twin, told = node.programs / "twin", node.paths.now("duplicate")
    assert node.look(0.0) == "" and told.read_text() == ""
    twin.write_text("Unicast reply from 192.168.50.10 [52:54:00:AB:34:56]  1.234ms\n")
    assert node.look(9.9) == "" and told.read_text() == ""
    for now in (10.0, 20.0):
        assert node.look(now) == "" and told.read_text() == "52:54:00:ab:34:56"
    assert caplog.messages == ["192.168.50.10: 52:54:00:ab:34:56 answers for it, too"]
    twin.unlink()
    assert node.look(30.0) == "" and told.read_text() == ""
    assert (node.programs / "asked").read_text() == "-D -c 1 -w 1 -I eth1 192.168.50.10\n" * 4
    assert len(caplog.messages) == 1 and node.done() == []


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
    assert hanging(4.0 * SITE.timings.o2cb_threshold + 2).startswith(str(node.paths.at(DATA_MOUNT)))


def test_it_looks_again_and_again_whatever_it_finds(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.put("/etc/nfsha/site.toml", load.LAB.read_text(encoding="utf-8"))
    monkeypatch.setenv("PATH", str(node.programs / "bin"))
    nft = node.programs / "bin" / "nft"
    nft.write_text("#!/bin/sh\n")
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
