"""Unit tests leave this machine alone, and property tests say the same on each run."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import configuration, settings

TOP = Path(__file__).parents[2]

configuration.set_hypothesis_home_dir(TOP / ".pytest_cache" / "hypothesis")
settings.register_profile("same", derandomize=True, database=None, deadline=None, max_examples=40)
settings.load_profile("same")

_CLONE_FS, _CLONE_NEWNS = 0x00000200, 0x00020000
"""For unshare(2) and setns(2), which the os module has from Python 3.12 on."""
_READ_ONLY = """
mount --make-rprivate /
for top in /etc /opt /srv /usr /var; do
    mount --rbind "$top" "$top"
    mount -o remount,bind,ro "$top"
done
for kept; do
    mount --rbind "$kept" "$kept"
    mount -o remount,bind,rw "$kept"
done
"""


def _libc(name: str, *numbers: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*numbers):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


@pytest.fixture(scope="module", autouse=True)
def machine_is_read_only() -> Iterator[None]:
    """What a test means to write below a root of its own, and does not, fails: it can't change this machine.

    In a mount namespace of the test's thread, and so of all that it starts. The old one is entered again afterwards, since
    tests of other folders may follow in the same process.
    """
    place = Path.cwd()
    before = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY)
    _libc("unshare", _CLONE_NEWNS)
    try:
        kept = {Path(tempfile.gettempdir()), Path("/var/tmp"), TOP, place}
        subprocess.run(["sh", "-euc", _READ_ONLY, "sh", *sorted(kept)], check=True)
        os.chdir(place)
        yield
    finally:
        # A thread that a test left behind shares the working folder, and setns(2) refuses that.
        _libc("unshare", _CLONE_FS)
        _libc("setns", before, _CLONE_NEWNS)
        os.close(before)
        os.chdir(place)
