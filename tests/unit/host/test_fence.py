"""A fenced node is kept from the disk until it has reset itself, and no longer; at boot a node waits until it is admitted."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.host import fence, reservation
from nfsha_config.host.fence import Fence
from nfsha_config.problems import CommandFailed, Refused

from . import disks
from .standins import SG_PERSIST, Clock, held_by, keeps, program, reconnect

SITE = disks.site()
TIMINGS = SITE.timings
LUN = Path(SITE.lun_path)
ONE, TWO = reservation.key(1), reservation.key(2)
KEPT = (TIMINGS.o2cb_threshold + 1) * 2.0


def test_a_reservation_is_given_up_when_its_time_is_over(clock: Clock, target: Path) -> None:
    keeper = Fence(LUN, 1, TIMINGS)
    keeper.take()
    clock.now += KEPT
    keeper.care()
    assert keeps(target, ONE)
    clock.now += 2.0
    keeper.care()
    assert reservation.holder(LUN) is None and keeper.until is None
    held_by(target, TWO)
    clock.now += 100.0
    keeper.care()
    assert reservation.holder(LUN) == TWO


def test_a_reservation_that_the_target_has_forgotten_is_taken_anew(clock: Clock, target: Path) -> None:
    keeper = Fence(LUN, 1, TIMINGS)
    keeper.take()
    keeper.care()
    for name in ("keys", "holder"):
        (target / name).write_text("")
    clock.now += 1.9
    keeper.care()
    assert reservation.holder(LUN) is None
    clock.now += 0.1
    keeper.care()
    assert keeps(target, ONE)
    clock.now += KEPT - 1.9
    keeper.care()
    assert reservation.holder(LUN) is None, "taking it anew does not make it last longer"


def test_a_node_whose_session_was_broken_may_write_again(clock: Clock, target: Path) -> None:
    keeper = Fence(LUN, 1, TIMINGS)
    keeper.take()
    keeper.care()
    reconnect(target, ONE)
    clock.now += 2.0
    keeper.care()
    assert keeps(target, ONE)
    reconnect(target, ONE)
    clock.now += KEPT
    keeper.care()
    assert reservation.holder(LUN) is None and keeper.until is None


def test_giving_up_is_tried_until_it_is_done(clock: Clock, target: Path) -> None:
    """What stood for ever would shut this node out with its next session."""
    keeper = Fence(LUN, 1, TIMINGS)
    keeper.take()
    (target / "broken").touch()
    with pytest.raises(CommandFailed):
        keeper.give_up()
    (target / "broken").unlink()
    assert reservation.holder(LUN) == ONE
    clock.now += 2.0
    keeper.care()
    assert reservation.holder(LUN) is None and keeper.until is None


def test_a_reservation_that_may_stand_is_given_up(clock: Clock, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The target took it, and was mute when it was asked who else is registered."""
    keeper = Fence(LUN, 1, TIMINGS)
    program(target, "sg_persist", SG_PERSIST.replace("--read-keys)", "--read-keys) exit 5"), monkeypatch)
    with pytest.raises(CommandFailed):
        keeper.take()
    assert reservation.holder(LUN) == ONE
    program(target, "sg_persist", SG_PERSIST, monkeypatch)
    keeper.care()
    assert reservation.holder(LUN) is None and keeper.until is None


def test_a_target_that_takes_none_leaves_nothing_to_give_up(clock: Clock, target: Path) -> None:
    (target / "broken").touch()
    keeper = Fence(LUN, 1, TIMINGS)
    with pytest.raises(CommandFailed):
        keeper.take()
    keeper.care()


def test_a_reservation_of_an_earlier_run_is_kept_for_its_whole_time(clock: Clock, target: Path) -> None:
    held_by(target, ONE)
    keeper = Fence(LUN, 1, TIMINGS)
    keeper.adopt()
    clock.now += KEPT
    keeper.care()
    assert keeps(target, ONE)
    clock.now += 2.0
    keeper.care()
    assert reservation.holder(LUN) is None


def test_only_an_own_reservation_is_adopted(clock: Clock, target: Path) -> None:
    held_by(target, TWO)
    keeper = Fence(LUN, 1, TIMINGS)
    keeper.adopt()
    keeper.care()
    keeper.give_up()
    assert reservation.holder(LUN) == TWO and keeper.until is None
    (target / "broken").touch()
    keeper.adopt()
    assert keeper.until is None


def test_a_reservation_that_was_not_got_is_not_cared_for(clock: Clock, target: Path) -> None:
    held_by(target, TWO)
    keeper = Fence(LUN, 1, TIMINGS)
    with pytest.raises(Refused):
        keeper.take()
    keeper.care()
    keeper.give_up()
    assert keeps(target, TWO)


def test_without_a_reservation_a_node_is_admitted_at_once(clock: Clock, target: Path) -> None:
    fence.wait_until_admitted(SITE, 1)
    assert clock.slept == []


def test_a_target_without_reservations_keeps_nobody_out(clock: Clock, target: Path) -> None:
    (target / "broken").touch()
    fence.wait_until_admitted(SITE, 1)
    assert clock.slept == []


def test_an_own_reservation_is_cleared_at_once(clock: Clock, target: Path) -> None:
    held_by(target, ONE)
    fence.wait_until_admitted(SITE, 1)
    assert clock.slept == [] and reservation.holder(LUN) is None
    assert (target / "keys").read_text() == ""


def test_the_other_nodes_reservation_is_waited_for(clock: Clock, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_by(target, TWO)
    sleep = clock.sleep

    def given_up_after_a_while(seconds: float) -> None:
        sleep(seconds)
        if clock.now > 1020:
            reservation.give_up(LUN, TWO)

    monkeypatch.setattr(clock, "sleep", given_up_after_a_while)
    fence.wait_until_admitted(SITE, 1)
    assert 1020 < clock.now < 1025
    assert f"{ONE:x}" not in (target / "calls").read_text()


def test_a_reservation_that_its_holder_left_is_cleared_in_the_end(clock: Clock, target: Path) -> None:
    held_by(target, TWO)
    fence.wait_until_admitted(SITE, 1)
    assert reservation.holder(LUN) is None
    assert KEPT < clock.now - 1000 < KEPT + 15


def test_anothers_key_is_a_persons_to_clear(clock: Clock, target: Path) -> None:
    held_by(target, 0x77)
    with pytest.raises(Refused, match="reserved by key 0x77, which is not of nfsha") as error:
        fence.wait_until_admitted(SITE, 1)
    assert clock.slept == [] and reservation.holder(LUN) == 0x77
    command = str(error.value).partition("uses the LUN: ")[2]
    assert disks.shell(command) == "" and reservation.holder(LUN) is None


def test_a_clearing_that_fails_is_an_error(clock: Clock, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held_by(target, ONE)
    program(target, "sg_persist", SG_PERSIST.replace("--clear) ", "--clear) conflict; "), monkeypatch)
    with pytest.raises(CommandFailed, match="--clear"):
        fence.wait_until_admitted(SITE, 1)
