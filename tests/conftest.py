"""What tests of several folders share: the options, and one Docker engine, which the first that needs it starts."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.engine import Engine, running


def pytest_addoption(parser: pytest.Parser) -> None:
    """--release NAME: the Debian release of the four machines."""
    parser.addoption("--release", default="bookworm", help="Debian release of the machines (default: bookworm)")


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    if os.geteuid() != 0:
        pytest.fail("only root can start a Docker engine")
    with running() as started:
        yield started
