"""An invariant that breaks, ends the story, whoever notices."""

import time

import pytest

from nfsha_lab.errors import LabError, ProductError
from nfsha_lab.invariant import Watch


def test_holding_invariant_is_no_trouble() -> None:
    watch, looked = Watch(), []
    with watch.invariant("sky", lambda: looked.append(1) is None, interval=60):
        watch.check()
        watch.check()
    assert len(looked) == 3


def test_violation_is_seen_at_a_poll() -> None:
    watch = Watch()
    with (
        pytest.raises(ProductError, match="invariant violated: one server"),
        watch.invariant("one server", lambda: False, interval=60),
    ):
        watch.check()
        pytest.fail("went on")


def test_violation_in_the_background_is_not_forgotten() -> None:
    watch = Watch()
    answers = iter([False])
    with (
        pytest.raises(ProductError, match="blink"),
        watch.invariant("blink", lambda: next(answers, True), interval=0.01),
    ):
        time.sleep(0.1)
    watch.check()


def test_trouble_of_the_laboratory_stays_its_own() -> None:
    def broken() -> bool:
        raise LabError("agent gone")

    watch = Watch()
    with pytest.raises(LabError, match="'x': agent gone") as caught, watch.invariant("x", broken, interval=60):
        watch.check()
    assert not isinstance(caught.value, ProductError)
