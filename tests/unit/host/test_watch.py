"""What is made of heartbeats and pings: who is fenced, and who holds back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nfsha_config.host import heartbeat
from nfsha_config.host.heartbeat import Beat, Region
from nfsha_config.host.watch import Look, Verdict, Watch, judge

from . import disks
from .standins import block

TIMINGS = disks.site().timings


def lost(seconds: float) -> Callable[[], float]:
    """What o2cb says where it is asked."""
    return lambda: seconds


def _unasked() -> float:
    raise AssertionError("the kernel logs a complaint each time that it is asked")


STATE, DATA = Region(Path("/dev/state"), 0, 2), Region(Path("/dev/data"), 0, 2)
DEAD = Look(alive=True, missed=3, silent=2.0, proven=0.0, lost=_unasked, wants=True, holds=False)
CUT = Look(alive=True, missed=0, silent=10.0, proven=9.0, lost=lost(10.0), wants=True, holds=True)


@pytest.mark.parametrize(
    ("look", "verdict"),
    [
        pytest.param(DEAD, Verdict.FENCE, id="dead, and this node wants to serve"),
        pytest.param(replace(DEAD, silent=None), Verdict.FENCE, id="dead, and no ping was ever answered"),
        pytest.param(replace(DEAD, proven=9.0), Verdict.FENCE, id="dead after it was cut off"),
        pytest.param(replace(DEAD, wants=False), Verdict.WELL, id="dead, but this node stands by"),
        pytest.param(replace(DEAD, wants=False, holds=True), Verdict.WELL, id="dead, while the lock is let go"),
        pytest.param(replace(DEAD, silent=1.9), Verdict.WELL, id="its disk is dead, but it answers pings"),
        pytest.param(replace(DEAD, missed=2), Verdict.WELL, id="beats are late"),
        pytest.param(replace(DEAD, alive=False), Verdict.WELL, id="o2cb knows that it is dead"),
        pytest.param(CUT, Verdict.FENCE, id="lives, cut off from the node that serves, for long"),
        pytest.param(replace(CUT, lost=lost(float("inf"))), Verdict.FENCE, id="the same, and o2cb is not connected"),
        pytest.param(replace(CUT, lost=lost(9.9)), Verdict.WELL, id="o2cb hears it, and pings are filtered"),
        pytest.param(replace(CUT, lost=_unasked, holds=False), Verdict.ISOLATED, id="pings are filtered on the way to a standby"),
        pytest.param(replace(DEAD, lost=lost(0.5)), Verdict.FENCE, id="its disk is dead"),
        pytest.param(replace(CUT, silent=9.9, lost=_unasked), Verdict.WELL, id="lives, cut off from the node that serves, not for long"),
        pytest.param(replace(CUT, holds=False), Verdict.ISOLATED, id="lives, cut off from a node that only wants to serve"),
        pytest.param(replace(CUT, holds=False, wants=False, silent=2.0, proven=2.0), Verdict.ISOLATED, id="lives, just cut off"),
        pytest.param(replace(CUT, holds=False, silent=1.9), Verdict.WELL, id="a ping or two are lost"),
        pytest.param(replace(CUT, holds=False, silent=None), Verdict.WELL, id="lives, and has never answered a ping"),
        pytest.param(replace(CUT, silent=None), Verdict.WELL, id="never answered the node that serves"),
        pytest.param(replace(CUT, alive=False), Verdict.WELL, id="cut off, but no member of the cluster"),
        pytest.param(replace(CUT, holds=False, silent=3.0, proven=0.5, missed=1), Verdict.WELL, id="the first seconds of a crash"),
        pytest.param(replace(CUT, silent=12.0, proven=0.5, missed=2), Verdict.WELL, id="silent for long, no beat proves that it lives"),
    ],
)
def test_judgement(look: Look, verdict: Verdict) -> None:
    assert judge(look, TIMINGS) is verdict


def test_a_patient_site_fences_nobody_before_o2cb() -> None:
    patient = replace(TIMINGS, fence_after=TIMINGS.o2cb_threshold)
    assert judge(replace(DEAD, missed=TIMINGS.o2cb_threshold - 1), patient) is Verdict.WELL


def beat(node: int, seq: int) -> Beat:
    """A beat as it is read."""
    parsed = heartbeat.parse(block(seq, node))
    assert parsed is not None
    return parsed


def both(own: int, other: int) -> dict[Region, dict[int, Beat]]:
    """The same beats in both volumes, seen from node 1."""
    return {region: {1: beat(1, own), 2: beat(2, other)} for region in (STATE, DATA)}


def test_a_node_that_beats_misses_nothing() -> None:
    watch = Watch(1, 2)
    assert [watch.beats(both(seq, seq + 7), seq) for seq in (100, 100, 102, 104)] == [0, 0, 0, 0]


def test_missed_beats_are_counted_though_their_number_is_the_time() -> None:
    """hb_seq is ktime_get_real_seconds() (fs/ocfs2/cluster/heartbeat.c, o2hb_prepare_block): 2 more with each beat."""
    watch = Watch(1, 2)
    watch.beats(both(100, 50), 0.0)
    assert [watch.beats(both(100 + 2 * count, 50), 2.0 * count) for count in (1, 1, 2, 3)] == [1, 1, 2, 3]


def test_a_clock_that_is_set_forward_makes_no_beat_missed() -> None:
    watch = Watch(1, 2)
    watch.beats(both(100, 50), 0.0)
    assert watch.beats(both(1100, 50), 2.0) == 1


def test_a_clock_that_is_set_back_hides_no_missed_beat() -> None:
    watch = Watch(1, 2)
    watch.beats(both(1000, 50), 0.0)
    watch.beats(both(100, 50), 2.0)
    assert watch.beats(both(102, 50), 4.0) == 2


def test_one_beat_ends_the_count() -> None:
    watch = Watch(1, 2)
    for count in range(4):
        missed = watch.beats(both(100 + 2 * count, 50), 2.0 * count)
    assert missed > 0
    assert watch.beats(both(108, 52), 8.0) == 0


def test_a_node_that_beats_in_one_volume_lives() -> None:
    watch = Watch(1, 2)
    for count in range(5):
        own = 100 + 2 * count
        seen = {STATE: {1: beat(1, own), 2: beat(2, own)}, DATA: {1: beat(1, own), 2: beat(2, 50)}}
        assert watch.beats(seen, 2.0 * count) == 0


def test_a_block_that_was_read_torn_is_neither_a_beat_nor_a_missed_one() -> None:
    watch = Watch(1, 2)
    watch.beats(both(100, 50), 0.0)
    without = {region: {1: beat(1, 100)} for region in (STATE, DATA)}
    assert watch.beats(without, 0.5) == 0
    missed = watch.beats(both(102, 50), 2.0)
    assert missed > 0
    assert watch.beats({region: {1: beat(1, 102)} for region in (STATE, DATA)}, 2.5) == missed
    assert watch.beats({region: {2: beat(2, 50)} for region in (STATE, DATA)}, 2.6) == missed


def test_the_mark_of_a_node_that_is_gone_is_no_beat() -> None:
    """Else a node that was fenced would seem to live, and the node that fenced it would give the address up."""
    watch = Watch(1, 2)
    watch.heard = 0.0
    watch.beats(both(100, 50), 0.0)
    missed = watch.beats(both(106, 50), 6.0)
    marked = heartbeat.parse(beat(2, 50).mark())
    assert missed and marked is not None and not marked.generation
    assert watch.beats({region: {1: beat(1, 106), 2: marked} for region in (STATE, DATA)}, 6.5) == missed
    assert watch.proven == 0.0


def test_who_was_never_seen_has_missed_nothing() -> None:
    assert Watch(1, 2).beats({STATE: {1: beat(1, 100)}, DATA: {}}, 0.0) == 0


def test_a_beat_during_silence_proves_that_the_network_is_cut() -> None:
    watch = Watch(1, 2)
    watch.beats(both(100, 50), 10.0)
    assert watch.silent(10.0) is None and watch.proven == 0.0
    watch.heard = 12.0
    watch.beats(both(102, 50), 17.0)
    assert (watch.silent(17.0), watch.proven) == (5.0, 0.0)
    watch.beats(both(104, 54), 18.0)
    assert (watch.silent(19.0), watch.proven) == (7.0, 6.0)
    watch.heard = 20.0
    watch.beats(both(106, 56), 20.0)
    assert watch.proven == 0.0
