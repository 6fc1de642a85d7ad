"""The options that all tests have."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """--release NAME: the Debian release of the four machines."""
    parser.addoption("--release", default="bookworm", help="Debian release of the machines (default: bookworm)")
