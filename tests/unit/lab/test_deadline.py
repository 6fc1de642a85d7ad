"""Waits end."""

import pytest

from nfsha_lab.deadline import Deadline, wait_for
from nfsha_lab.errors import LabError, ProductError


def test_polls_at_least_once_and_stop() -> None:
    assert len(list(Deadline(0).polls(1.0))) == 1
    tries = list(Deadline(0.1).polls(0.02))
    assert 3 <= len(tries) <= 7
    assert tries == sorted(tries)


def test_check_says_what_was_waited_for() -> None:
    Deadline(60).check("the sun")
    with pytest.raises(LabError, match="the sun: not within 0 s"):
        Deadline(0).check("the sun")


def test_wait_for_returns_the_time_it_took() -> None:
    answers = iter([False, False, True])
    assert wait_for("x", lambda: next(answers), 5, interval=0.01) < 1


def test_wait_for_raises_the_wanted_kind() -> None:
    with pytest.raises(ProductError, match="the tide: not within"):
        wait_for("the tide", lambda: False, 0.05, interval=0.01, kind=ProductError)
