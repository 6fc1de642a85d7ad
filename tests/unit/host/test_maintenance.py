"""A node that has the lock hands the service over first, or stays; any other one goes at once."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from nfsha_config.host import maintenance, switchover
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """In the place of the switchover."""
    mock = Mock()
    monkeypatch.setattr(switchover, "request", mock)
    return mock


def test_a_standby_goes_at_once(paths: Paths, asked: Mock) -> None:
    maintenance.begin(paths)
    assert paths.maintenance.exists() and not asked.called
    assert maintenance.end(paths) and not paths.maintenance.exists() and not maintenance.end(paths)


def test_the_holder_of_the_lock_stays_where_no_other_node_is_fit(paths: Paths, asked: Mock) -> None:
    """Also while its gate is closed, as when its server is started again."""
    paths.now("held").parent.mkdir(parents=True, exist_ok=True)
    paths.now("held").touch()
    asked.side_effect = Refused("nfs1 goes on serving")
    with pytest.raises(Refused):
        maintenance.begin(paths)
    assert not paths.maintenance.exists()
    asked.side_effect = None
    maintenance.begin(paths)
    assert paths.maintenance.exists()
