"""Who may take over is decided by fresh reports; a refusal names what is wrong with each node."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from nfsha_config.host import overview, status, switchover
from nfsha_config.host.status import Status
from nfsha_config.paths import Paths
from nfsha_config.problems import CommandFailed, Refused

from . import disks
from .standins import program

SITE = disks.site()
SERVING = Status("nfs1", 7, True, "", "MASTER", 2, False, "timings")
STANDBY = Status("nfs2", 9, False, "", "BACKUP", 0, False, "timings")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """The shared state of a cluster."""
    made = Paths(tmp_path)
    made.shared("").mkdir(parents=True)
    return made


@contextmanager
def reporting(paths: Paths, *nodes: Status) -> Iterator[None]:
    """These nodes report again and again."""
    done = threading.Event()

    def report() -> None:
        beat = 0
        while not done.wait(0.05):
            beat += 1
            for node in nodes:
                status.save(replace(node, beat=node.beat + beat), paths)

    thread = threading.Thread(target=report)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_fit_node_is_found() -> None:
    assert switchover.choose({"nfs1": SERVING, "nfs2": STANDBY}) == (SERVING, [STANDBY])
    serving, standby = replace(STANDBY, serving=True), replace(SERVING, serving=False, vrrp="BACKUP")
    assert switchover.choose({"nfs1": standby, "nfs2": serving}) == (serving, [standby])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unfit": "/srv/nfs4/data is not mounted"}, "nfs2: /srv/nfs4/data is not mounted"),
        ({"vrrp": "FAULT"}, "nfs2: keepalived is in state FAULT, not BACKUP"),
        ({"vrrp": ""}, "nfs2: keepalived is in state stopped, not BACKUP"),
        ({"timings": "others"}, "nfs2: has other timings"),
    ],
)
def test_an_unfit_node_is_refused(change: dict[str, str], why: str) -> None:
    with pytest.raises(Refused) as error:
        switchover.choose({"nfs1": SERVING, "nfs2": replace(STANDBY, **change)})  # type: ignore[arg-type]
    assert why in str(error.value) and "nfs1 goes on serving" in str(error.value)


def test_without_reports_nothing_is_done() -> None:
    with pytest.raises(Refused, match="nfs2: does not report"):
        switchover.choose({"nfs1": SERVING, "nfs2": None})
    with pytest.raises(Refused, match="no node serves now"):
        switchover.choose({"nfs1": None, "nfs2": STANDBY})


def test_only_a_new_report_counts(paths: Paths) -> None:
    status.save(STANDBY, paths)
    assert status.live("nfs2", paths, 0.5) is None
    with reporting(paths, STANDBY):
        found = status.live("nfs2", paths, 10)
    assert found is not None and found.beat > STANDBY.beat


def test_one_fit_node_of_several_is_enough() -> None:
    away = replace(STANDBY, node="nfs3", unfit="in maintenance")
    assert switchover.choose({"nfs1": SERVING, "nfs3": away, "nfs2": STANDBY}) == (SERVING, [away, STANDBY])
    assert switchover.choose({"nfs1": SERVING, "nfs3": None, "nfs2": STANDBY}) == (SERVING, [STANDBY])
    with pytest.raises(Refused, match=r"nfs2: does not report.*; nfs3: in maintenance"):
        switchover.choose({"nfs1": SERVING, "nfs2": None, "nfs3": away})


def test_another_that_serves_is_waited_for(paths: Paths) -> None:
    status.save(STANDBY, paths)
    with pytest.raises(CommandFailed, match=r"no other node serves after 0\.3 s"):
        switchover._wait_for_one_of([STANDBY], 0.3, paths)
    threading.Timer(0.2, lambda: status.save(replace(STANDBY, serving=True), paths)).start()
    start = time.monotonic()
    assert switchover._wait_for_one_of([STANDBY], 5, paths) == "nfs2"
    assert time.monotonic() - start < 3


def test_the_one_that_does_not_come_ends_the_wait_only_where_it_is_the_last(paths: Paths) -> None:
    away = replace(STANDBY, node="nfs3", unfit="in maintenance")
    for one in (away, STANDBY, replace(STANDBY, node="nfs4", serving=True)):
        status.save(one, paths)
    with pytest.raises(CommandFailed, match="no other node serves"):
        switchover._wait_for_one_of([away, STANDBY], 0.3, paths)
    status.save(replace(STANDBY, unfit="no session"), paths)
    with pytest.raises(CommandFailed, match="nfs3 can't serve: in maintenance; nfs2 can't serve: no session; see"):
        switchover._wait_for_one_of([away, STANDBY], 60, paths)


def test_a_report_is_read_back_and_a_damaged_one_is_none(paths: Paths) -> None:
    status.save(SERVING, paths)
    assert status.load("nfs1", paths) == SERVING
    status.place("nfs1", paths).write_text("{")
    assert status.load("nfs1", paths) is None and status.load("nfs2", paths) is None


def test_the_overview_for_programs() -> None:
    """One that does not report is there, too, without a report."""
    told = json.loads(overview.as_json({"nfs1": SERVING, "nfs2": None}))
    assert told == {"nfs1": asdict(SERVING), "nfs2": None}


def test_the_overview_in_words() -> None:
    seen = {"nfs1": SERVING, "nfs2": STANDBY}
    assert overview.as_text(seen) == "nfs1  serves, 2 clients\nnfs2  stands by"
    assert overview.serving(seen) == ["nfs1"]
    broken = {"nfs1": replace(SERVING, grace=True, clients=1), "nfs2": replace(STANDBY, vrrp="MASTER", timings="others")}
    assert overview.as_text(broken).splitlines() == [
        "nfs1  serves, in its grace period, 1 client",
        "nfs2  does not serve, VRRP state MASTER",
        "the nodes have different timings: install the same revision of the site on all",
        "more than one node claims the virtual address: let VRRP (IP protocol 112) pass between the nodes",
    ]
    gone = {"nfs1": None, "nfs2": replace(STANDBY, unfit="in maintenance")}
    assert overview.as_text(gone) == "nfs1  no report: is it up?\nnfs2  can't serve: in maintenance"
    assert overview.serving(gone) == []


def test_the_overview_names_what_is_wrong_and_a_second_owner_of_the_address() -> None:
    seen = {
        "nfs1": replace(SERVING, duplicate="52:54:00:12:34:56"),
        "nfs2": replace(STANDBY, wrong="o2cb runs with dead_threshold 31, not 16", kernel="fs.leases-enable is 1, not 0"),
    }
    assert overview.as_text(seen).splitlines() == [
        "nfs1  serves, 2 clients",
        "nfs2  stands by",
        "another machine answers for the virtual address, too: 52:54:00:12:34:56; take the address from it",
        "nfs2: o2cb runs with dead_threshold 31, not 16: "
        "a node alone can't change that, not even by a reboot, while another one is up; "
        "on every node: systemctl stop keepalived.service srv-nfs4-data.mount var-lib-nfs.mount o2cb.service "
        "nfsha-storage.service; then on every node: systemctl start nfsha-node.target",
        "nfs2: fs.leases-enable is 1, not 0: take it out of /etc/sysctl.conf and /etc/sysctl.d, then: sysctl --system",
    ]


def test_a_report_of_another_version_is_read(paths: Paths) -> None:
    status.save(SERVING, paths)
    place = status.place("nfs1", paths)
    known = json.loads(place.read_text())
    place.write_text(json.dumps({**known, "later": 1}))
    assert status.load("nfs1", paths) == SERVING
    assert (known.pop("wrong"), known.pop("duplicate"), known.pop("kernel")) == ("", "", "")
    place.write_text(json.dumps(known))
    assert status.load("nfs1", paths) == SERVING


@pytest.mark.parametrize("text", ["", "{}", "[]", "7", '{"node": "nfs1"}', '{"node": '])
def test_what_is_no_report_is_none(text: str, paths: Paths) -> None:
    status.place("nfs1", paths).write_text(text)
    assert status.load("nfs1", paths) is None


def test_a_node_says_what_its_check_and_keepalived_said(paths: Paths) -> None:
    for place, text in (("/run/nfsha/unfit", "in maintenance\n"), ("/run/nfsha/vrrp", "FAULT\n"), ("/run/keepalived.pid", "7\n")):
        paths.at(place).parent.mkdir(parents=True, exist_ok=True)
        paths.at(place).write_text(text)
    said = status.here(SITE, 1, paths)
    assert (said.unfit, said.vrrp, said.serving) == ("in maintenance", "", False)
    paths.at("/proc/7").mkdir(parents=True)
    paths.at("/proc/7/comm").write_text("keepalived\n")
    paths.at("/run/nfsha/unfit").write_text("")
    paths.now("open").touch()
    said = status.here(SITE, 1, paths)
    assert (said.unfit, said.vrrp, said.serving, said.grace) == ("", "FAULT", True, True)


def test_a_fit_node_says_what_it_misses_in_the_network(paths: Paths) -> None:
    for place, text in (("/run/nfsha/vrrp", "BACKUP\n"), ("/run/keepalived.pid", "7\n"), ("/proc/7/comm", "keepalived\n")):
        paths.at(place).parent.mkdir(parents=True, exist_ok=True)
        paths.at(place).write_text(text)
    paths.now("unwitnessed").write_text("192.168.50.1 192.168.50.2\n")
    assert status.here(SITE, 1, paths).unfit == "", "one ping that is lost is none"
    paths.now("vrrp").write_text("FAULT\n")
    assert status.here(SITE, 1, paths).role == "can't serve: no witness answers: 192.168.50.1 192.168.50.2"
    os.utime(paths.now("unwitnessed"), (time.time() - 20, time.time() - 20))
    assert status.here(SITE, 1, paths).unfit == "", "a note of a witness that the site has no more"
    paths.now("isolated").write_text("1\n")
    assert status.here(SITE, 1, paths).unfit == "the other node lives and can't be reached"
    paths.now("unfit").write_text("in maintenance\n")
    assert status.here(SITE, 1, paths).unfit == "in maintenance"


def test_a_node_says_how_o2cb_and_the_kernel_run_and_who_has_its_address(paths: Paths) -> None:
    for place, text in (
        ("/run/nfsha/duplicate", "52:54:00:12:34:56"),
        ("/sys/kernel/config/cluster/ocfs2/idle_timeout_ms", "30000\n"),
        ("/proc/sys/fs/leases-enable", "1\n"),
        ("/proc/sys/kernel/panic_on_oops", "1\n"),
    ):
        paths.at(place).parent.mkdir(parents=True, exist_ok=True)
        paths.at(place).write_text(text)
    said = status.here(SITE, 1, paths)
    assert (said.wrong, said.duplicate) == ("o2cb runs with idle_timeout_ms 30000, not 10000", ""), "only who serves asks"
    assert said.kernel == "fs.leases-enable is 1, not 0"
    paths.now("open").touch()
    assert status.here(SITE, 1, paths).duplicate == "52:54:00:12:34:56"


def test_why_a_hand_over_failed_is_said_and_not_that_systemd_says_so(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "systemctl", "echo 'Job for nfsha-switchover.service failed' >&2; exit 1", monkeypatch)
    last = "nfs2 can't serve: holds the lock, but is not ready to serve; see: nfsha status"
    program(tmp_path, "journalctl", f'echo "nfsha: {last}"', monkeypatch)
    monkeypatch.setattr(switchover, "choose", lambda seen: (replace(SERVING, node=os.uname().nodename), [STANDBY]))
    monkeypatch.setattr(overview, "look", lambda paths: {})
    with pytest.raises(CommandFailed) as failed:
        switchover.request(paths)
    assert str(failed.value) == last
    program(tmp_path, "journalctl", "exit 1", monkeypatch)
    with pytest.raises(CommandFailed, match=r"Job for nfsha-switchover\.service failed"):
        switchover.request(paths)
