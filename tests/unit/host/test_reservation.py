"""One key at a time keeps the others from writing; a target that does not do it is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.host import reservation
from nfsha_config.problems import CommandFailed, Refused

from .standins import SG_PERSIST, keeps, program, reconnect

LUN = Path("/dev/disk/by-path/lun")
ONE, TWO = reservation.key(1), reservation.key(2)


def state(target: Path) -> tuple[list[str], str]:
    """Who is registered, and who holds the reservation."""
    keys, holder = ((target / name).read_text().split() for name in ("keys", "holder"))
    return sorted(keys), "".join(holder)


def given(target: Path, *keys: int, holder: int | None = None) -> None:
    """These are registered already."""
    (target / "keys").write_text("".join(f"{key:x}\n" for key in keys))
    (target / "holder").write_text("" if holder is None else f"{holder:x}\n")


def test_keys_tell_whose_they_are() -> None:
    assert ONE.to_bytes(8, "big") == b"nfsh\0\0\0\x01"
    assert [reservation.node_of(held) for held in (ONE, TWO, 0x1, ONE + (1 << 32))] == [1, 2, None, None]


def test_taken_kept_and_given_up(target: Path) -> None:
    assert reservation.holder(LUN) is None and not keeps(target, TWO)
    reservation.take(LUN, TWO)
    assert state(target) == (["6e66736800000002"], "6e66736800000002")
    assert reservation.holder(LUN) == TWO
    assert keeps(target, TWO) and not keeps(target, ONE)
    reservation.take(LUN, TWO)
    assert keeps(target, TWO)
    reservation.give_up(LUN, TWO)
    assert state(target) == ([], "")
    reservation.give_up(LUN, TWO)


def test_the_type_lets_registrants_write_and_everybody_read(target: Path) -> None:
    reservation.take(LUN, TWO)
    calls = (target / "calls").read_text().splitlines()
    reserve = next(call for call in calls if "--reserve" in call)
    assert "--prout-type=5" in reserve and reserve.endswith(str(LUN))


def test_others_that_are_registered_may_not_write(target: Path) -> None:
    given(target, ONE, 0x77, 0x78)
    reservation.take(LUN, TWO)
    assert state(target) == (["6e66736800000002"], "6e66736800000002")


def test_anothers_reservation_is_respected(target: Path) -> None:
    given(target, ONE, holder=ONE)
    with pytest.raises(Refused, match="lun: reserved by key 0x6e66736800000001 already"):
        reservation.take(LUN, TWO)
    assert state(target) == (["6e66736800000001"], "6e66736800000001")


def test_the_loser_of_a_race_may_not_write(target: Path) -> None:
    (target / "rival").write_text(f"{ONE:x}\n")
    with pytest.raises(CommandFailed, match="Reservation conflict"):
        reservation.take(LUN, TWO)
    assert state(target) == (["6e66736800000001"], "6e66736800000001")


def test_a_reconnect_does_not_shut_the_holder_out(target: Path) -> None:
    """To tgt a registration is that of a session, and what is held by one that is gone stays held."""
    reservation.take(LUN, TWO)
    reconnect(target, TWO)
    assert not keeps(target, TWO)
    reservation.renew(LUN, TWO)
    assert keeps(target, TWO)
    reservation.renew(LUN, TWO)
    reservation.take(LUN, TWO)
    assert keeps(target, TWO)
    reservation.give_up(LUN, TWO)
    assert state(target) == ([], "")
    reservation.take(LUN, ONE)
    reconnect(target, ONE)
    reservation.give_up(LUN, ONE)
    assert state(target) == ([], "")


def test_what_the_target_has_forgotten_is_taken_anew(target: Path) -> None:
    reservation.renew(LUN, TWO)
    assert keeps(target, TWO)
    given(target, ONE, holder=ONE)
    with pytest.raises(Refused, match="reserved by key"):
        reservation.renew(LUN, TWO)
    reservation.give_up(LUN, TWO)
    assert state(target) == (["6e66736800000001"], "6e66736800000001"), "who is fenced may not register"


def test_a_target_that_only_says_yes(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lies = SG_PERSIST.replace('echo "$rk" >holder', ":")
    assert lies != SG_PERSIST
    program(target, "sg_persist", lies, monkeypatch)
    with pytest.raises(CommandFailed, match="yet it is not there"):
        reservation.take(LUN, TWO)


def test_clearing_takes_all_away(target: Path) -> None:
    given(target, ONE, 0x77, holder=0x77)
    reservation.clear(LUN, TWO)
    assert state(target) == ([], "")


def test_a_target_without_reservations(target: Path) -> None:
    (target / "broken").touch()
    with pytest.raises(CommandFailed, match="not supported"):
        reservation.holder(LUN)
    with pytest.raises(CommandFailed, match="not supported"):
        reservation.take(LUN, TWO)
    with pytest.raises(CommandFailed, match="not supported"):
        reservation.renew(LUN, TWO)
    with pytest.raises(CommandFailed, match="not supported"):
        reservation.give_up(LUN, TWO)
