"""What the build had at hand, and no reader of its packages, its repository and its log may learn."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from nfsha_config.build import changelog
from nfsha_config.build.deb import TOOL
from tests.packages import contents
from tests.packages.conftest import Built

pytestmark = pytest.mark.slow


def published(built: Built) -> list[Path]:
    """All files that others get to see."""
    return sorted(path for path in built.repository.rglob("*") if path.is_file())


def test_no_chap_secret_is_published_or_logged(built: Built) -> None:
    needles = [built.secrets.node.encode(), built.secrets.target.encode()]
    # They were where a build would find them.
    assert len(contents.holding(needles, [built.home / "secrets"])) == 2
    assert contents.holding(needles, [*published(built), built.log]) == []


def test_the_signing_key_stays_with_the_builder(built: Built) -> None:
    keys = list((built.home / "data").rglob("private-keys-v1.d/*.key"))
    assert len(keys) == 1
    secret = re.search(rb"\(d\s+#([0-9A-F\s]+)#", keys[0].read_bytes())
    assert secret
    digits = b"".join(secret[1].split())
    assert len(digits) >= 64
    needles = [digits, bytes.fromhex(digits.decode()), b"PRIVATE KEY BLOCK", b"BEGIN PRIVATE KEY"]
    assert contents.holding(needles, [*published(built), built.log]) == []


def test_no_package_sets_a_secret(built: Built) -> None:
    # A secret as the files of tgtd, iscsid and nfsha would hold it.
    user, value = r"(?:incoming|outgoing)user\s+\S+\s+\S+", r"[\w.]*(?:password|secret)\w*\s*=\s*\S+"
    given = re.compile(rf"^\s*(?:{user}|{value})", re.MULTILINE | re.IGNORECASE)
    for deb in built.debs.values():
        for member in contents.members(deb):
            if member.info.name.endswith((".py", ".j2")) or member.place.endswith("!DEBIAN/postinst"):
                continue
            assert not given.search(member.content.decode("utf-8", "replace")), member.place


def test_no_folder_of_the_build_host_is_named(built: Built) -> None:
    needles = [
        str(built.repository.parent).encode(), b"of-the-builder", str(changelog.CHECKOUT).encode(),
    ]  # fmt: skip
    assert contents.holding(needles, published(built)) == []


def test_files_are_roots_and_open_to_nobody_but_for_reading(built: Built) -> None:
    for deb in built.debs.values():
        for member in contents.members(deb):
            info, mode = member.info, member.info.mode
            assert (info.uid, info.gid) == (0, 0), member.place
            assert not mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX), member.place
            assert info.isdir() or info.isreg() or info.issym(), member.place
            if not info.issym():
                assert mode & 0o777 in ((0o755,) if info.isdir() else (0o644, 0o755)), member.place


def test_the_builders_secrets_are_the_builders_alone(built: Built) -> None:
    for path in (built.home / "secrets", built.home / "nfs1.preseed"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in (built.home / "data").rglob("*"):
        if "keyring" in path.parts and path.is_dir():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_scan_finds_what_it_looks_for(built: Built) -> None:
    """Compressed, in a script, as the name of a file: nothing is out of its sight."""
    tool, node = built.debs[TOOL], built.debs["nfsha-node"]
    assert any("changelog" in found for found in contents.holding([b"first release"], [tool]))
    assert any("DEBIAN/postinst" in found for found in contents.holding([b"dpkg-reconfigure"], [node]))
    assert contents.holding([b"lab.toml"], [tool])
