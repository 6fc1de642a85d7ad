"""debian/tests as Debian's infrastructure runs them, with the packages as built, in a chroot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from nfsha_config.build import deb
from tests.packages import chroot
from tests.packages.conftest import TOOL, Built

pytestmark = [pytest.mark.slow, pytest.mark.long]
SKIPPED_SOME = 2
"""autopkgtest(1): at least one test was skipped, and all others passed."""


def test_the_installed_tool_passes_and_the_cluster_waits_for_a_machine(built: Built, tmp_path: Path) -> None:
    tree = deb.tool_tree(tmp_path / "nfsha")
    with chroot.unpacked(chroot.Recipe()) as root:
        # The tests' user has to read what lies there, whoever runs this.
        shutil.copy2(built.debs[TOOL], tmp_path)
        done = subprocess.run(
            [
                *root.around(), "autopkgtest", "--apt-upgrade", "--no-built-binaries", tmp_path / built.debs[TOOL].name,
                tree, "--", "chroot", root.folder,
            ],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        )  # fmt: skip
    results = [" ".join(line.split()) for line in done.stdout.partition("@@@@ summary")[2].splitlines()]
    # The last one is what autodep8 makes of debian/control, as Debian's infrastructure does.
    assert {"smoke PASS", "autodep8-python3 PASS (superficial)"} <= set(results) and done.returncode == SKIPPED_SOME, done.stdout[-8000:]
    # It names the restriction that it came upon first, in a set.
    skipped = [line for line in results if line.startswith("cluster SKIP")]
    assert any(word in line for line in skipped for word in ("isolation-machine", "breaks-testbed")), skipped
