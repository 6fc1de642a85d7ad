"""Secrets are strong, differ by direction, lie in a 0600 file and stand in no message."""

from __future__ import annotations

import os
import stat
import traceback
from pathlib import Path

import pytest

from nfsha_config.problems import InputError
from nfsha_config.site import secrets
from nfsha_config.site.secrets import Secrets

NODE, TARGET = "Node0123456789abcdef", "Target0123456789abcd"


def test_made_secrets_are_long_and_never_the_same() -> None:
    many = [secrets.make() for _ in range(50)]
    words = {word for one in many for word in (one.node, one.target)}
    assert len(words) == 100
    assert all(len(word) == 24 and word.isascii() and word.isalnum() for word in words)
    assert secrets.check({"node": many[0].node, "target": many[0].target}, "x") == many[0]


def test_no_printed_form_holds_a_secret() -> None:
    both = Secrets(NODE, TARGET)
    for shown in (repr(both), str(both), f"{both}", repr([both])):
        assert NODE not in shown
        assert TARGET not in shown


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_file_is_for_its_owner_only(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new folder" / "secrets"
    before = os.umask(umask)
    try:
        secrets.write_new(path, Secrets(NODE, TARGET))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secrets.load(path) == Secrets(NODE, TARGET)


def test_secrets_in_use_are_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    secrets.write_new(path, Secrets(NODE, TARGET))
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        secrets.write_new(path, secrets.make())
    assert path.read_bytes() == before


def test_a_link_is_not_followed_for_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "secrets").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        secrets.write_new(tmp_path / "secrets", secrets.make())
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "secrets"
    secrets.write_new(path, Secrets(NODE, TARGET))
    path.chmod(mode)
    assert wrong(path) == [f"mode: is {mode:04o}, others may read it (chmod 600 {path})"]


def wrong(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        secrets.load(path)
    printed = "".join(traceback.format_exception(caught.value))
    assert NODE not in printed
    assert TARGET not in printed
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).split("\n")]


def test_a_missing_file(tmp_path: Path) -> None:
    assert wrong(tmp_path / "no") == ["file: No such file or directory (`nfsha secrets init` makes it)"]


CHARACTERS = "is too short, too long or has other characters (take 12 to 64 letters, digits and . _ + / = -)"
SAME = (
    "is the same as node "
    "(take two; a target must not be able to answer with the nodes' own secret (RFC 7143, 9.2.1))"
)
MISSING = "is missing (`nfsha secrets init` makes the file)"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (f'node = "{NODE}"\ntarget = "{NODE}"\n', [f"target: {SAME}"]),
        (f'node = "{NODE}"\n', [f"target: {MISSING}"]),
        (f'node = "{NODE}"\ntarget = ""\n', [f"target: {MISSING}"]),
        (f'node = "{NODE}"\ntarget = 123456789012\n', ["target: is not a string (put it in quotes)"]),
        (f'node = "{NODE}"\ntarget = "short"\n', [f"target: {CHARACTERS}"]),
        (f'node = "{NODE} {NODE}"\ntarget = "{TARGET * 4}"\n', [f"node: {CHARACTERS}", f"target: {CHARACTERS}"]),
        (f'node = "{NODE}\\n"\ntarget = "{TARGET}é"\n', [f"node: {CHARACTERS}", f"target: {CHARACTERS}"]),
        (
            f'nodes = "{NODE}"\ntarget = "{TARGET}"\n',
            ["nodes: is not a secret of a site (known: node, target)", f"node: {MISSING}"],
        ),
        (
            f'node = "{NODE}\ntarget = "{TARGET}"\n',
            ['file: is not TOML at line 1, column 29 (write lines such as node = "...")'],
        ),
        (
            f'node = {NODE}\n',
            ['file: is not TOML at line 1, column 8 (write lines such as node = "...")'],
        ),
        (f"node = {'9' * 5000}\n", ['file: is not TOML (write lines such as node = "...")']),
        (b'node = "' + NODE.encode() + b"\xff", ['file: is not UTF-8 text (write lines such as node = "...")']),
    ],
)
def test_contents_that_are_refused(tmp_path: Path, content: str | bytes, lines: list[str]) -> None:
    path = tmp_path / "secrets"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    assert wrong(path) == lines
