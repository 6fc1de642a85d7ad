"""Edits of a site.toml that keep what the admin wrote: single values, and a new revision under an admin's changes."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from nfsha_config.problems import InputError, Problem
from nfsha_config.site import kinds, load
from nfsha_config.site.settings import BY_KEY, TABLES

Path = tuple[str, ...]
Changes = Mapping[Path, Any]

_ABSENT = object()
_SOURCE = "site.toml"


def answers(text_values: Mapping[str, str]) -> dict[str, object]:
    """Texts of questions as TOML values by key. Raises InputError with every unknown key and every bad value."""
    problems = list(_unknown(text_values))
    values: dict[str, object] = {}
    for key, text in text_values.items():
        if key not in _answerable():
            continue
        kind = BY_KEY[key].kind
        values[key] = kind.of_text(text.strip())
        try:
            kind.read(values[key])
        except kinds.Invalid as invalid:
            problems.append(Problem(key, invalid.what, invalid.hint, kinds.typed(values[key])))
    if problems:
        raise InputError("answers", problems)
    return values


def with_values(text: str, values: Mapping[str, object]) -> str:
    """The text with scalar keys ("timings.nfs_lease") set; comments and order stay.

    A key that says the same already, by its default too, stays as it is, so that a later default still reaches the
    machine. Raises InputError when the text is no TOML or a key is unknown.
    """
    problems = list(_unknown(values))
    data = load.tables(text, _SOURCE)
    paths = {key: (BY_KEY[key].table, BY_KEY[key].name) for key in values if key in _answerable()}
    for table in sorted({path[0] for path in paths.values()}):
        if not isinstance(data.get(table, {}), dict):
            problems.append(Problem(table, "is not a table", f"write [{table}]"))
    if problems:
        raise InputError(_SOURCE, problems)
    now = {key: data.get(table, {}).get(name, BY_KEY[key].default) for key, (table, name) in paths.items()}
    return _edited(text, {paths[key]: value for key, value in values.items() if not _same(now[key], value)})


def merge(base: str, current: str, new: str) -> str:
    """The new text with what the admin changed in current against base: scalars by key, [[node]] and [[export]] whole.

    Where the new text is the base, that is current itself. Raises InputError when one of the three is no TOML.
    """
    before, now = _flat(load.tables(base, f"{_SOURCE} as packaged before")), _flat(load.tables(current, _SOURCE))
    changed = {path: now.get(path, _ABSENT) for path in {**before, **now} if not _same(before.get(path), now.get(path))}
    # Which revision this is, is for the new text to say.
    changed.pop(("cluster", "revision"), None)
    arriving = _flat(load.tables(new, f"{_SOURCE} as packaged"))
    if base == new:
        return current
    wanted = {path: value for path, value in changed.items() if not _same(arriving.get(path, _ABSENT), value)}
    return _edited(new, wanted, current)


def _answerable() -> set[str]:
    return {key for key, setting in BY_KEY.items() if setting.table not in TABLES}


def _unknown(keys: Mapping[str, object]) -> Iterator[Problem]:
    known = _answerable()
    for key in keys:
        if key in BY_KEY and key not in known:
            table = BY_KEY[key].table
            yield Problem(key, "stands once in each row of a list", f"edit [[{table}]] in {_SOURCE}")
        elif key not in known:
            where = ".".join(kinds.key_text(part) for part in key.split("."))
            yield Problem(where, "is not a key of a site", "known: " + ", ".join(sorted(known)))


def _same(one: object, other: object) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _flat(data: Mapping[str, Any]) -> dict[Path, Any]:
    flat: dict[Path, Any] = {}
    for name, body in data.items():
        if isinstance(body, dict):
            flat.update({(name, key): value for key, value in body.items()})
        else:
            flat[(name,)] = body
    return flat


def _edited(text: str, changes: Changes, donor: str = "") -> str:
    """The text with changes; those that the donor has come as they stand there, with their comments."""
    if not changes:
        return text
    try:
        document = tomlkit.parse(text if text.endswith("\n") or not text else f"{text}\n")
        giver = tomlkit.parse(donor)
        for path, value in changes.items():
            _change(document, path, _as_given(giver, path, value))
        result = tomlkit.dumps(document)
    except TOMLKitError as error:
        raise InputError(_SOURCE, [Problem("TOML", str(error), "mend the line named; see https://toml.io")]) from error
    expected = _expected(text, changes)
    if _parsed(result) == expected:
        return result
    # tomlkit can misplace what follows dotted keys or inline tables: better the right values without the comments.
    return plain(expected)


def _as_given(giver: tomlkit.TOMLDocument, path: Path, value: Any) -> Any:
    given: Any = giver.get(path[0])
    if path[1:] == ():
        return given if isinstance(given, AoT) else value
    one = given.get(path[1]) if type(given) is Table else None
    return one if one is not None and _same(one, value) else value


def _change(document: tomlkit.TOMLDocument, path: Path, value: Any) -> None:
    place = cast("dict[str, Any]", document)
    for name in path[:-1]:
        if value is _ABSENT and name not in place:
            return
        if name not in place:
            place[name] = tomlkit.table()
        place = place[name]
    if value is _ABSENT:
        place.pop(path[-1], None)
    else:
        _set(place, path[-1], value)


def _set(place: Any, name: str, value: Any) -> None:
    keys = [key for key, _ in place.value.body if key is not None] if type(place) is Table else []
    if keys and name not in place and not keys[-1].is_dotted():
        # A plain addition goes behind the comment that stands above the next table.
        place.value._insert_after(keys[-1], tomlkit.key(name), tomlkit.item(value))
    else:
        place[name] = value


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _expected(text: str, changes: Changes) -> dict[str, Any]:
    data = tomllib.loads(text)
    for path, value in changes.items():
        place = data
        for name in path[:-1]:
            place = place.setdefault(name, {})
        if value is _ABSENT:
            place.pop(path[-1], None)
        else:
            place[path[-1]] = value
    return data


def plain(data: Mapping[str, Any]) -> str:
    """The text of a site's tables and lists of tables, without comments."""
    lines = [f"{kinds.key_text(name)} = {kinds.typed(body)}" for name, body in data.items() if not _is_table(body)]
    for name, body in data.items():
        if not _is_table(body):
            continue
        for row in body if isinstance(body, list) else [body]:
            header = f"[[{kinds.key_text(name)}]]" if isinstance(body, list) else f"[{kinds.key_text(name)}]"
            lines += [*([""] if lines else []), header]
            lines += [f"{kinds.key_text(key)} = {kinds.typed(value)}" for key, value in row.items()]
    return "".join(f"{line}\n" for line in lines)


def _is_table(body: object) -> bool:
    rows = body if isinstance(body, list) else [body]
    return bool(rows) and all(isinstance(row, dict) for row in rows)
