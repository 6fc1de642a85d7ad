"""A machine's own file, and which node it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.host import machine
from nfsha_config.host.machine import Machine
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError

from . import disks


@pytest.mark.parametrize("here", [Machine("nfs1"), Machine("nfs2", "/dev/disk/by-path/ip-1.2.3.4:3260-iscsi-x:y-lun-1")])
def test_saved_and_loaded(here: Machine, tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert machine.save(here, paths)
    assert not machine.save(here, paths)
    assert machine.load(paths) == here


def test_consent_is_good_for_one_formatting(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    machine.save(Machine("nfs1", "/dev/x"), paths)
    machine.withdraw_consent(paths)
    assert machine.load(paths) == Machine("nfs1", "")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="file: is missing \\(run: dpkg-reconfigure nfsha-node\\)"):
        machine.load(Paths(tmp_path))


def test_a_file_without_a_name_or_with_other_keys(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.host.parent.mkdir(parents=True)
    paths.host.write_text('comment = "x"\n')
    with pytest.raises(InputError, match="are not strings"):
        machine.load(paths)


def test_the_node_by_its_name() -> None:
    site = disks.site()
    assert machine.node_of(Machine("nfs2"), site, "nfs2") == site.nodes[1]
