"""From the text of site.toml to a Site, or to all its problems at once."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nfsha_config.problems import InputError, Problem
from nfsha_config.site import checks, kinds, model
from nfsha_config.site.settings import BY_KEY, REQUIRED, SETTINGS, TABLES, Setting

LAB = Path(__file__).with_name("lab.toml")
"""The built-in site: the four machines of the laboratory."""

Values = dict[str, Any]


def load_file(path: Path) -> model.Site:
    """The site in a file. Raises InputError with every problem found."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        problem = Problem(str(path), str(reason), "name a site.toml; `nfsha example` prints one")
        raise InputError("site", [problem]) from error
    return load(text, str(path))


def load(text: str, source: str) -> model.Site:
    """The site in a text; source names it in messages. Raises InputError with every problem found."""
    data = tables(text, source)
    problems = list(_unknown(data))
    values = dict(_scalars(data, problems))
    for table in TABLES:
        values.update(_rows(table, data, problems))
    problems.extend(_as_typed(data, problem) for problem in checks.check(values))
    if problems:
        raise InputError(source, problems)
    return _site(values)


def known(text: str | None, source: str) -> model.Site | None:
    """The site in a text that another version of nfsha may have written; None where it is none for this one."""
    try:
        return None if text is None else load(text, source)
    except InputError:
        return None


def tables(text: str, source: str) -> dict[str, Any]:
    """What a TOML text holds, unchecked. Raises InputError when it is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(source, [Problem("TOML", str(error), "mend the line named; see https://toml.io")]) from error
    except (ValueError, RecursionError) as error:
        # tomllib lets int() and the stack say so themselves.
        what = "holds a number of thousands of digits or a list in hundreds of lists"
        raise InputError(source, [Problem("TOML", what, "write it plainly")]) from error


def _as_typed(data: dict[str, Any], problem: Problem) -> Problem:
    place = re.fullmatch(r"(\w+)(?:\[(\d+)\])?\.(\w+)", problem.where)
    if problem.value is not None or not place:
        return problem
    table = data.get(place[1], {})
    row = table[int(place[2]) - 1] if place[2] else table
    return replace(problem, value=kinds.typed(row.get(place[3], BY_KEY[f"{place[1]}.{place[3]}"].default)))


def _unknown(data: dict[str, Any]) -> Iterator[Problem]:
    known_tables = sorted({setting.table for setting in SETTINGS})
    for name, body in data.items():
        if name not in known_tables:
            yield Problem(kinds.key_text(name), "is not a key of a site", _meant(name, known_tables), _show(body))
            continue
        rows = body if isinstance(body, list) else [body]
        known = [setting.name for setting in SETTINGS if setting.table == name]
        for number, row in enumerate(rows, 1):
            where = f"{name}[{number}]" if name in TABLES else name
            for key in row if isinstance(row, dict) else ():
                if key not in known:
                    place = f"{where}.{kinds.key_text(key)}"
                    yield Problem(place, "is not a key of a site", _meant(key, known), _show(row[key]))


def _show(value: object) -> str | None:
    return None if isinstance(value, dict) or value == [] else kinds.typed(value)


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else "known here: " + ", ".join(known)


def _scalars(data: dict[str, Any], problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    bad_tables = set()
    for setting in SETTINGS:
        if setting.table in TABLES:
            continue
        table = data.get(setting.table, {})
        if not isinstance(table, dict):
            if setting.table not in bad_tables:
                problems.append(Problem(setting.table, "is not a table", f"write [{setting.table}]", _show(table)))
            bad_tables.add(setting.table)
            continue
        yield from _value(setting, setting.key, table, problems)


def _rows(table: str, data: dict[str, Any], problems: list[Problem]) -> Values:
    rows = data.get(table, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problems.append(Problem(table, "is not a list of tables", f"write [[{table}]] above each", _show(rows)))
        return {}
    fields = [setting for setting in SETTINGS if setting.table == table]
    return {
        table: [
            {
                key.partition("].")[2]: value
                for setting in fields
                for key, value in _value(setting, f"{table}[{number}].{setting.name}", row, problems)
            }
            for number, row in enumerate(rows, 1)
        ]
    }


def _value(setting: Setting, where: str, table: dict[str, Any], problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    raw = table.get(setting.name, setting.default)
    if raw is REQUIRED:
        problems.append(Problem(where, "is missing", setting.help))
        return
    try:
        yield where, setting.kind.read(raw)
    except kinds.Invalid as invalid:
        problems.append(Problem(where, invalid.what, invalid.hint, kinds.typed(raw)))


def _site(values: Values) -> model.Site:
    def table(name: str) -> Values:
        return {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}

    return model.Site(
        cluster=model.Cluster(**table("cluster")),
        nodes=tuple(model.Node(**row, number=number) for number, row in enumerate(values["node"], 1)),
        network=model.Network(**table("network")),
        storage=model.Storage(**table("storage")),
        exports=tuple(model.Export(**row) for row in values["export"]),
        client=model.Client(**table("client")),
        timings=model.Timings(**table("timings")),
    )


