"""A kernel without what a node needs is named before anything is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nfsha_config.host import preflight
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused

MODULES = ("ocfs2", "ocfs2_stack_o2cb", "iscsi_tcp", "nfsd")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A machine with all modules loaded, and a modprobe(8) that knows no others."""
    for module in MODULES:
        (tmp_path / "sys/module" / module).mkdir(parents=True)
    stand_in = tmp_path / "bin/modprobe"
    stand_in.parent.mkdir()
    stand_in.write_text("#!/bin/sh\nexit 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=os.pathsep)
    return Paths(tmp_path)


def test_all_there(paths: Paths) -> None:
    preflight.main(paths)


@pytest.mark.parametrize(
    ("release", "reason"),
    [("6.1.0-56-cloud-amd64", " Debian's cloud kernel has no OCFS2;"), ("6.1.0-56-amd64", "")],
)
def test_missing_modules(release: str, reason: str, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ocfs2", "ocfs2_stack_o2cb"):
        (paths.root / "sys/module" / module).rmdir()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "nfs1", release, "", "x86_64")))
    with pytest.raises(Refused) as caught:
        preflight.main(paths)
    assert str(caught.value) == (
        f"kernel {release} lacks ocfs2, ocfs2_stack_o2cb;{reason} "
        "install linux-image-amd64, boot it, then: systemctl restart nfsha-node.target"
    )
