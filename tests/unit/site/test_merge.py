"""Edits keep an admin's comments, order and changes."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfsha_config.problems import InputError
from nfsha_config.site import load, merge
from nfsha_config.site.settings import BY_KEY, SETTINGS, TABLES

LAB = load.LAB.read_text(encoding="utf-8")
SCALARS = [setting for setting in SETTINGS if setting.table not in TABLES]


def test_a_value_is_set_in_its_place() -> None:
    assert merge.with_values(LAB, {"network.interface": "ens3"}) == LAB.replace('"eth1"', '"ens3"')


def test_a_comment_behind_the_value_stays() -> None:
    text = "[network]\ninterface = 'eth1'   # the fast one\nrouter_id = 101\n"
    assert merge.with_values(text, {"network.interface": "ens3"}) == text.replace("'eth1'", '"ens3"')


def test_a_key_is_added_to_its_table() -> None:
    text = "# top\n[network] # where\nrouter_id = 7\n\n# lists\n[[node]]\nname = 'a'\n"
    assert merge.with_values(text, {"network.witnesses": ["10.0.0.1"]}) == (
        "# top\n[network] # where\nrouter_id = 7\nwitnesses = [\"10.0.0.1\"]\n\n# lists\n[[node]]\nname = 'a'\n"
    )


def test_a_table_is_added() -> None:
    assert merge.with_values(LAB, {"timings.nfs_lease": 20, "timings.vrrp_interval": 0.5}) == (
        f"{LAB}\n[timings]\nnfs_lease = 20\nvrrp_interval = 0.5\n"
    )


def test_an_empty_text_and_one_without_a_last_newline() -> None:
    assert merge.with_values("", {"cluster.name": "a"}) == '[cluster]\nname = "a"\n'
    text = '[cluster]\nname = "a"'
    assert merge.with_values(text, {"cluster.revision": 2}) == f"{text}\nrevision = 2\n"


@pytest.mark.parametrize("text", [LAB, LAB.replace("\n", "\r\n"), LAB.rstrip("\n"), f"\n\n{LAB}\n\n# end"])
def test_nothing_new_leaves_each_byte(text: str) -> None:
    data = tomllib.loads(text)
    values = {setting.key: data.get(setting.table, {}).get(setting.name, setting.default) for setting in SCALARS}
    assert merge.with_values(text, values) == text
    assert merge.with_values(text, {"timings.nfs_lease": 15, "timings.vrrp_interval": 1}) == text


def test_values_of_dotted_keys_and_inline_tables() -> None:
    text = 'cluster = { name = "a" }\ntimings.nfs_lease = 20\nnode = [{ name = "n1" }]\n'
    result = merge.with_values(text, {"cluster.revision": 3, "timings.nfs_grace": 80, "timings.nfs_lease": 21})
    assert tomllib.loads(result) == {
        "cluster": {"name": "a", "revision": 3},
        "timings": {"nfs_lease": 21, "nfs_grace": 80},
        "node": [{"name": "n1"}],
    }


def test_with_values_refuses() -> None:
    with pytest.raises(InputError) as caught:
        merge.with_values("network = 1", {"network.router_id": 1, "node.name": "a", "a.b": 1})
    assert [problem.where for problem in caught.value.problems] == ["node.name", "a.b", "network"]
    with pytest.raises(InputError, match="mend the line named"):
        merge.with_values("= 1", {})


def test_answers_are_typed_by_the_table() -> None:
    texts = {
        "timings.nfs_lease": " 20", "timings.vrrp_interval": "0.5", "network.witnesses": "10.0.0.1, 10.0.0.2",
        "network.interface": "eth1\n", "network.fail_back": "manual",
    }  # fmt: skip
    assert merge.answers(texts) == {
        "timings.nfs_lease": 20, "timings.vrrp_interval": 0.5, "network.witnesses": ["10.0.0.1", "10.0.0.2"],
        "network.interface": "eth1", "network.fail_back": "manual",
    }  # fmt: skip
    assert merge.answers({"network.witnesses": ""}) == {"network.witnesses": []}


def test_answers_with_all_problems_at_once() -> None:
    texts = {
        "network.colour": "red", "export.path": "/x", "timings.nfs_lease": "soon", "timings.nfs_grace": "9",
        "storage.portal": "",
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        merge.answers(texts)
    known = ", ".join(sorted(setting.key for setting in SCALARS))
    assert str(caught.value).split("\n") == [
        f"answers: network.colour: is not a key of a site (known: {known})",
        "answers: export.path: stands once in each row of a list (edit [[export]] in site.toml)",
        'answers: timings.nfs_lease = "soon": is not a whole number (wanted: whole number, 10 to 3600)',
        "answers: timings.nfs_grace = 9: is outside 10 to 3600 "
        "(knfsd takes 10 to 3600 (fs/nfsd/nfsctl.c); take a whole number from 10 to 3600)",
        'answers: storage.portal = "": is not an address and a port (write it such as 192.168.50.20:3260)',
    ]


NEW = LAB.replace("revision = 1", "revision = 2").replace('"1GiB"', '"2GiB"')


def test_an_untouched_file_becomes_the_new_one() -> None:
    assert merge.merge(LAB, LAB, NEW) == NEW
    assert merge.merge(LAB, f"# only a comment\n{LAB}", NEW) == NEW


def test_nothing_new_keeps_the_admins_file() -> None:
    current = f"# mine\n{LAB}".replace('"eth1"', '"ens3"')
    assert merge.merge(LAB, current, LAB) == current


def test_the_admins_values_survive() -> None:
    current = LAB.replace('"eth1"', '"ens3"').replace("router_id = 101\n", "") + "[timings]\nnfs_lease = 20\n"
    expected = NEW.replace('"eth1"', '"ens3"').replace("router_id = 101\n", "") + "\n[timings]\nnfs_lease = 20\n"
    assert merge.merge(LAB, current, NEW) == expected


def test_a_comment_on_the_admins_line_comes_with_it() -> None:
    current = LAB.replace('interface = "eth1"', 'interface = "eth9"  # the second port')
    merged = merge.merge(LAB, current, LAB.replace("revision = 1", "revision = 2"))
    assert merged == current.replace("revision = 1", "revision = 2")


def test_an_admins_pin_of_a_default_survives() -> None:
    current = f"{LAB}\n[timings]\nnfs_lease = 15\n"
    new = f"{LAB}\n[timings]\nnfs_lease = 30\n"
    assert merge.merge(LAB, current, new) == current


def test_lists_are_taken_whole_with_their_comments() -> None:
    third = '\n[[node]]\nname = "nfs3" # new\naddress = "192.168.50.13"\n'
    current = LAB.replace("\n[network]", f"{third}\n[network]")
    new = NEW.replace('"192.168.50.11"', '"192.168.50.111"')
    result = merge.merge(LAB, current, new)
    assert result == NEW.replace("\n[network]", f"{third}\n[network]")


def test_a_list_in_other_spelling_or_gone() -> None:
    inline = LAB[LAB.index("[network]"):]
    current = f'node = [{{name = "n1", address = "192.168.50.1"}}]\n{LAB[:LAB.index("[[node]]")]}{inline}'
    nodes = tomllib.loads(merge.merge(LAB, current, NEW))["node"]
    assert nodes == [{"name": "n1", "address": "192.168.50.1"}]
    without = LAB[: LAB.index("[[node]]")] + inline
    assert "node" not in tomllib.loads(merge.merge(LAB, without, NEW))


def test_true_is_not_one() -> None:
    current = LAB.replace("router_id = 101", "router_id = true")
    assert merge.merge(LAB.replace("router_id = 101", "router_id = 1"), current, NEW).count("router_id = true") == 1


def test_an_unknown_key_of_the_admins_is_kept_for_load_to_name() -> None:
    current = LAB.replace("[network]", "[network]\ncolour = 1") + "[colours]\nred = 1\n"
    data = tomllib.loads(merge.merge(LAB, f"top = 1\n{current}", NEW))
    assert (data["network"]["colour"], data["colours"], data["top"]) == (1, {"red": 1}, 1)


@pytest.mark.parametrize(
    ("texts", "source"),
    [
        (("=", LAB, NEW), "site.toml as packaged before"),
        ((LAB, "=", NEW), "site.toml"),
        ((LAB, LAB, "="), "site.toml as packaged"),
    ],
)
def test_merge_names_the_text_that_is_no_toml(texts: tuple[str, str, str], source: str) -> None:
    with pytest.raises(InputError) as caught:
        merge.merge(*texts)
    assert caught.value.source == source


words = st.text("aZ09 _-./,#=[]{}\"'\\\n\r\t\x00\x1b\x7fé€😀", max_size=12)
values = {
    setting.key: {int: st.integers(0, 9), list: st.lists(words, max_size=2), str: words}.get(
        setting.kind.toml, st.floats(0, 9)
    )
    for setting in SCALARS
}
scalars = st.fixed_dictionaries({}, optional=values)
rows = st.lists(st.fixed_dictionaries({"name": words}, optional={"x": st.integers(0, 3)}), max_size=2)
comments = st.sampled_from(["", "# why\n", "\n", "\n# a = 1\n\n"])


@st.composite
def sites(draw: Any) -> str:
    """The text of a site in some order, with comments; its values need not be valid."""
    tables: dict[str, list[str]] = {}
    for key, value in draw(scalars).items():
        line = merge.plain({BY_KEY[key].name: value})
        tables.setdefault(f"[{BY_KEY[key].table}]\n", []).append(draw(comments) + line)
    for table in TABLES:
        for row in draw(rows):
            tables[f"{'' if row else ' '}[[{table}]]\n{merge.plain(row)}" + " " * len(tables)] = []
    order = draw(st.permutations(list(tables)))
    return draw(comments) + "".join(name + draw(comments) + "".join(tables[name]) for name in order)


def flat(text: str) -> dict[str, Any]:
    data = tomllib.loads(text)
    tables = {name: body for name, body in data.items() if isinstance(body, dict)}
    found = {f"{name}.{key}": value for name, body in tables.items() for key, value in body.items()}
    return {**found, **{name: body for name, body in data.items() if isinstance(body, list)}}


@given(sites(), scalars)
def test_with_values_sets_these_and_nothing_else(text: str, wanted: dict[str, Any]) -> None:
    result = merge.with_values(text, wanted)
    before, after = flat(text), flat(result)
    for key, value in wanted.items():
        assert after.get(key, BY_KEY[key].default) == value
    untouched = set(before) - set(wanted)
    assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}
    assert set(after) <= set(before) | set(wanted)
    assert merge.with_values(result, wanted) == result
    assert result.count("# why") == text.count("# why")


@given(sites(), sites(), sites())
def test_merge_takes_each_key_from_one_side(base: str, current: str, new: str) -> None:
    result = merge.merge(base, current, new)
    b, c, n, r = (flat(text) for text in (base, current, new, result))
    for key in {*b, *c, *n, *r}:
        theirs = b.get(key) == c.get(key) or key == "cluster.revision"
        expected = n if theirs and base != new else c
        assert r.get(key) == expected.get(key), key
    if b == c and base != new:
        assert result == new


@given(st.dictionaries(words, st.dictionaries(words, st.one_of(words, st.integers(), st.booleans()))))
def test_plain_text_reads_back(data: dict[str, dict[str, object]]) -> None:
    assert tomllib.loads(merge.plain(data)) == data
