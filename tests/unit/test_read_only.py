"""The guard of tests/unit/conftest.py holds, for the test and for what it starts."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

NAME = "nfsha-written-by-a-test"
PLACES = ("/etc", "/etc/systemd/system", "/opt", "/srv", "/usr/lib", "/var/lib", "/var/lib/ucf", "/var/cache/debconf")


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_written_to_this_machine(place: str) -> None:
    file = Path(place, NAME)
    try:
        with pytest.raises(OSError) as caught:
            file.touch()
        assert caught.value.errno == errno.EROFS
        said = subprocess.run(["touch", file], capture_output=True, text=True, check=False, env={"LC_ALL": "C"})
        assert said.returncode == 1 and "Read-only file system" in said.stderr
    finally:
        # Only where the guard is broken there is something to take away.
        if file.exists():
            file.unlink()


def test_what_is_made_for_a_test_can_be_written(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
