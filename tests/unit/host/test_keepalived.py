"""A keepalived that exists and does nothing is ended, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.host.keepalived import PID, Watchdog
from nfsha_config.paths import Paths

from .standins import program

PARENT, CHILD = 70, 71
INTERVAL = 1.0
PATIENCE = 8.0
"""5 s, and three intervals."""
KILL = "kill --signal=KILL keepalived.service"


def gate(packets: int) -> str:
    """The gate as nft lists it."""
    return f"""table inet nfsha {{
\tchain output {{
\t\ttype filter hook output priority filter - 10; policy accept;
\t\toif "lo" accept
\t\tip protocol vrrp counter packets {packets} bytes {40 * packets}
\t\ttcp sport 2049 ip saddr 192.168.50.10 goto closed_output
\t}}
}}
"""


class Keepalived:
    """keepalived with its one child in a temporary root; systemctl only notes what it shall do."""

    def __init__(self, folder: Path, paths: Paths) -> None:
        self.folder, self.paths = folder, paths
        self.watchdog = Watchdog(INTERVAL, paths)

    def put(self, place: str, text: str) -> None:
        path = self.paths.at(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def process(self, pid: int, state: str = "S") -> None:
        """A name may hold any letters (proc(5))."""
        self.put(f"/proc/{pid}/stat", f"{pid} (keepalived (T) x) {state} 1 {PARENT} {PARENT} 0 -1\n")

    def says(self, vrrp: str) -> None:
        self.put("/run/nfsha/vrrp", f"{vrrp}\n")

    def looks(self, *looks: tuple[float, int]) -> list[float]:
        """Look at these times, when so many packets were sent; return the times at which it was killed."""
        return [now for now, packets in looks if self._kills(now, gate(packets))]

    def _kills(self, now: float, listed: str) -> bool:
        notes = self.folder / "notes"
        self.watchdog.count(listed)
        self.watchdog.look(now)
        said = notes.read_text() if notes.exists() else ""
        notes.unlink(missing_ok=True)
        assert said in ("", f"{KILL}\n")
        return bool(said)

    def looks_without_a_counter(self, *times: float) -> list[float]:
        """Look at these times, when the gate has no counter."""
        return [now for now in times if self._kills(now, "")]


@pytest.fixture
def keepalived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keepalived:
    """A master that is well."""
    folder = tmp_path / "programs"
    folder.mkdir()
    program(folder, "systemctl", 'echo "$*" >>notes', monkeypatch)
    made = Keepalived(folder, Paths(tmp_path / "root"))
    made.put(PID, f"{PARENT}\n")
    made.put(f"/proc/{PARENT}/task/{PARENT}/children", f"{CHILD} ")
    made.process(PARENT)
    made.process(CHILD)
    made.says("MASTER")
    return made


def test_a_master_that_sends_is_well(keepalived: Keepalived) -> None:
    assert keepalived.looks(*((now, 12 + now) for now in range(0, 60, 2))) == []


def test_a_master_that_sends_nothing_is_ended_after_a_while(keepalived: Keepalived, caplog: pytest.LogCaptureFixture) -> None:
    assert keepalived.looks((0.0, 12), (2.0, 12), (PATIENCE, 12)) == [] and caplog.messages == []
    assert keepalived.looks((PATIENCE + 0.1, 12)) == [PATIENCE + 0.1]
    assert caplog.messages == ["keepalived hangs: ending it, for systemd to start it anew"]


def test_longer_intervals_need_more_patience(keepalived: Keepalived) -> None:
    keepalived.watchdog = Watchdog(2.5, keepalived.paths)
    assert keepalived.looks((0.0, 12), (12.5, 12), (12.6, 12)) == [12.6]


def test_one_packet_is_enough(keepalived: Keepalived) -> None:
    looks = ((0.0, 12), (7.0, 12), (8.0, 13), (16.0, 13), (17.0, 13))
    assert keepalived.looks(*looks) == [17.0]


def test_a_counter_that_begins_anew_has_counted(keepalived: Keepalived) -> None:
    """The gate is made anew when it is opened and closed."""
    assert keepalived.looks((0.0, 12), (7.0, 12), (9.0, 3), (16.0, 3), (17.0, 0), (25.0, 0)) == []


def test_a_silent_standby_is_well(keepalived: Keepalived) -> None:
    keepalived.says("BACKUP")
    assert keepalived.looks((0.0, 12), (9.0, 12), (99.0, 12)) == []


def test_a_standby_that_became_master_has_as_long_as_any(keepalived: Keepalived) -> None:
    """It may have become so after the gate was listed, and before that was read."""
    keepalived.says("BACKUP")
    assert keepalived.looks((0.0, 12), (9.0, 12)) == []
    keepalived.says("MASTER")
    assert keepalived.looks((10.0, 12), (15.0, 17), (20.0, 22)) == []
    keepalived.says("BACKUP")
    assert keepalived.looks((25.0, 25)) == []
    keepalived.says("MASTER")
    assert keepalived.looks((30.0, 25), (35.0, 25), (38.0, 25), (38.1, 25)) == [38.1], "counted since it is master"


def test_what_was_counted_before_a_pause_is_no_evidence(keepalived: Keepalived) -> None:
    assert keepalived.looks((0.0, 12), (5.0, 12)) == []
    keepalived.watchdog.forget()
    for now in (7.0, 9.0, 11.0):
        keepalived.watchdog.look(now)
    assert keepalived.looks((13.0, 12), (18.0, 12), (21.0, 12), (21.1, 12)) == [21.1]


@pytest.mark.parametrize("vrrp", ["MASTER", "BACKUP", "FAULT"])
@pytest.mark.parametrize("pid", [PARENT, CHILD])
@pytest.mark.parametrize("state", ["T", "t"])
def test_a_process_that_is_stopped_is_ended_after_a_while(keepalived: Keepalived, vrrp: str, pid: int, state: str) -> None:
    """The parent would start a child that is gone, but not one that is stopped; and nobody looks after the parent."""
    keepalived.says(vrrp)
    assert keepalived.looks((0.0, 12)) == []
    keepalived.process(pid, state)
    assert keepalived.looks((4.0, 13), (8.0, 14), (8.1, 15)) == [8.1]


def test_a_process_that_goes_on_in_time_is_left_alone(keepalived: Keepalived) -> None:
    assert keepalived.looks((0.0, 12)) == []
    keepalived.process(CHILD, "T")
    assert keepalived.looks((7.0, 13)) == []
    keepalived.process(CHILD, "R")
    assert keepalived.looks((9.0, 14)) == []
    keepalived.process(CHILD, "T")
    assert keepalived.looks((16.0, 15)) == []


def test_a_killed_one_has_time_to_come_back(keepalived: Keepalived) -> None:
    looks = [(float(now), 12) for now in range(0, 30, 2)]
    assert keepalived.looks(*looks) == [10.0, 20.0]


def test_where_none_runs_there_is_none_to_end(keepalived: Keepalived) -> None:
    """What it was, and its number, may be there still."""
    keepalived.paths.at(f"/proc/{PARENT}/stat").unlink()
    assert keepalived.looks((0.0, 12), (9.0, 12), (99.0, 12)) == []


def test_without_its_number_none_runs(keepalived: Keepalived) -> None:
    keepalived.paths.at(PID).unlink()
    keepalived.put("/proc/stat", "cpu  1 2 3 4\nbtime 1700000000\n")
    assert keepalived.looks((0.0, 12), (9.0, 12), (99.0, 12)) == []


def test_a_gate_without_a_counter_says_nothing_of_a_master(keepalived: Keepalived) -> None:
    """It was flushed away, or made by an older version."""
    assert keepalived.looks_without_a_counter(0.0, 2.0, 10.0, 20.0) == []


def test_a_first_look_ends_none(keepalived: Keepalived) -> None:
    keepalived.process(CHILD, "T")
    assert keepalived.looks((100.0, 12), (108.0, 12), (108.1, 12)) == [108.1]
