"""Names of units for a path are those that systemd-escape(1) prints."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfsha_config.render.unitname import escape_path
from tests.golden.sites import SITES


def _systemd(path: str) -> str:
    done = subprocess.run(["systemd-escape", "--path", "--", path], capture_output=True, text=True, check=True)
    return done.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "-"),
        ("/srv/nfs4/data", "srv-nfs4-data"),
        ("/mnt/nfs-data x", "mnt-nfs\\x2ddata\\x20x"),
        ("/.hidden/.too", "\\x2ehidden-.too"),
        ("/a.b:c_d", "a.b:c_d"),
        ("/mnt/ünï+1@x", "mnt-\\xc3\\xbcn\\xc3\\xaf\\x2b1\\x40x"),
        ("/back\\slash", "back\\x5cslash"),
        *((f"{site.lun_path}-part1", None) for site in SITES.values()),
    ],
)
def test_known_paths(path: str, name: str | None) -> None:
    assert escape_path(path) == _systemd(path)
    assert name in (None, escape_path(path))


_PART = st.text(st.characters(blacklist_characters="/\0\n", blacklist_categories=["Cs"]), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(_PART.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4))
def test_any_path(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    assert escape_path(path) == _systemd(path)
