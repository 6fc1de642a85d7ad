"""What a kind prints it reads back as the same, and it never fails but by saying what is wrong."""

from __future__ import annotations

import ipaddress
import tomllib
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfsha_config.site import kinds
from nfsha_config.site.settings import BY_KEY, REQUIRED, SETTINGS

words = st.text("aZ09 _-./,#=[]{}\"'\\\n\r\t\x00\x1b\x7fé€😀", max_size=12)
scalars = st.one_of(words, st.integers(), st.booleans(), st.floats(allow_nan=False), st.floats(0.001, 1000))
toml_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)


@given(toml_values)
def test_typed_is_toml_on_one_line(value: Any) -> None:
    text = kinds.typed(value)
    assert not [character for character in text if ord(character) < 32 or ord(character) == 127]
    assert tomllib.loads(f"value = {text}") == {"value": value}


@given(st.integers(1, 2**60))
def test_size(size: int) -> None:
    assert kinds.SIZE.read(kinds.size_text(size)) == size


@pytest.mark.parametrize(
    ("size", "text"), [(2**26, "64MiB"), (2**30, "1GiB"), (2**40, "1TiB"), (1536, "1536"), (0, "0")]
)
def test_size_text(size: int, text: str) -> None:
    assert kinds.size_text(size) == text


@pytest.mark.parametrize(("text", "size"), [("64M", 2**26), ("64 MiB", 2**26), ("512", 512), ("3KiB", 3072)])
def test_spellings_of_a_size(text: str, size: int) -> None:
    assert kinds.SIZE.read(text) == size


@given(st.ip_addresses(v=4), st.integers(0, 32), st.integers(0, 99999))
def test_addresses(address: ipaddress.IPv4Address, prefix: int, port: int) -> None:
    assert kinds.ADDRESS.read(str(address)) == address
    interface = ipaddress.IPv4Interface((address, prefix))
    assert kinds.INTERFACE_ADDRESS.read(str(interface)) == interface
    portal = kinds.Portal(address, port)
    assert kinds.PORTAL.read(str(portal)) == portal


@given(st.uuids())
def test_uuid(value: uuid.UUID) -> None:
    assert kinds.UUID.read(str(value)) == kinds.UUID.read(str(value).upper()) == value


@given(st.lists(st.from_regex(r"[A-Za-z0-9.:/@*-]+", fullmatch=True)))
def test_words_of_text(value: list[str]) -> None:
    assert kinds.WORDS.of_text(", ".join(value)) == value
    assert kinds.WORDS.of_text(" ".join(value)) == value


@given(st.integers(-(10**19), 10**19), st.integers(-(10**6), 10**6))
def test_numbers_of_text(whole: int, thousandths: int) -> None:
    assert kinds.integer(0, 1, "").of_text(str(whole)) == whole
    assert kinds.seconds(0, 1, "").of_text(f"{thousandths / 1000:.3f}") == thousandths / 1000


@pytest.mark.parametrize(("text", "value"), [("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("0b11", 3), ("007", 7), ("+5", 5)])
def test_whole_numbers_of_text_as_toml_has_them(text: str, value: int) -> None:
    assert kinds.integer(0, 1, "").of_text(text) == value


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e3", "٣", "9" * 5000, "0xz", "1__0", "1 2"])
def test_text_that_is_no_number_stays_text(text: str) -> None:
    assert kinds.integer(0, 1, "").of_text(text) == text
    assert kinds.seconds(0, 1, "").of_text(text) == text


any_kind = st.sampled_from(sorted({setting.kind for setting in SETTINGS}, key=lambda kind: kind.name))


@given(any_kind, st.one_of(toml_values, st.floats(), st.text("/.dev0123456789:-abc\x00\n%", max_size=20)))
def test_a_kind_fails_only_as_invalid(kind: kinds.Kind, raw: object) -> None:
    try:
        kind.read(raw)
    except kinds.Invalid as invalid:
        assert invalid.what
        assert invalid.hint


@given(any_kind, words)
def test_any_text_is_turned_into_something(kind: kinds.Kind, text: str) -> None:
    tomllib.loads(f"value = {kinds.typed(kind.of_text(text))}")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_setting(setting: Any) -> None:
    assert BY_KEY[setting.key] is setting
    assert setting.help.endswith(".")
    assert not setting.why or setting.why.endswith(".")
    if setting.default is not REQUIRED:
        setting.kind.read(setting.default)
    if setting.asked:
        assert setting.table not in ("node", "export"), "a list has no question"


def test_questions_are_distinct() -> None:
    assert len({setting.question for setting in SETTINGS}) == len(BY_KEY) == len(SETTINGS)
