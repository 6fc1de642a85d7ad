"""Site texts with one thing changed, and the messages that such a text is answered with."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import pytest

from nfsha_config.problems import InputError
from nfsha_config.site import load, merge
from nfsha_config.site.model import Site

SCALARS = {
    "cluster.name": '"demo"',
    "network.virtual_address": '"192.168.50.10/24"',
    "storage.portal": '"192.168.50.20:3260"',
    "storage.iqn": '"iqn.2020-01.org.example:lun1"',
    "storage.device": '"/dev/disk/by-id/virtio-lun"',
    "storage.size": '"1GiB"',
}
NODES = ({"name": '"n1"', "address": '"192.168.50.11"'}, {"name": '"n2"', "address": '"192.168.50.12"'})
EXPORT = {"path": '"/srv/nfs4/data"', "clients": '["client"]', "fsid": '"3f1c9f0a-6a63-4d7c-9a53-7a0d6f2b8c11"'}
OTHER_EXPORT = {**EXPORT, "path": '"/srv/nfs4/data/b"', "fsid": '"3f1c9f0a-6a63-4d7c-9a53-7a0d6f2b8c12"'}


def site_text(
    changes: Mapping[str, str | None] | None = None,
    nodes: tuple[Mapping[str, str | None], ...] = NODES,
    exports: tuple[Mapping[str, str | None], ...] = (EXPORT,),
) -> str:
    """The least text of a valid site, with changes by key to TOML text; None leaves a key out."""
    tables: dict[str, list[str]] = {}
    for key, value in {**SCALARS, **(changes or {})}.items():
        table, _, name = key.partition(".")
        if value is not None:
            tables.setdefault(table, []).append(f"{name} = {value}")
    lines = [line for table, rows in tables.items() for line in (f"[{table}]", *rows, "")]
    for table, rows in (("node", nodes), ("export", exports)):
        for row in rows:
            lines += [f"[[{table}]]", *(f"{name} = {value}" for name, value in row.items() if value is not None), ""]
    return "\n".join(lines)


def problems(text: str) -> list[str]:
    """The lines that a refused text is answered with, without the source."""
    with pytest.raises(InputError) as caught:
        load.load(text, "site.toml")
    lines = str(caught.value).split("\n")
    assert all(line.startswith("site.toml: ") for line in lines)
    assert len(lines) == len(caught.value.problems)
    return [line.removeprefix("site.toml: ") for line in lines]


def changed(values: Mapping[str, object]) -> Site:
    """The laboratory's site with other values, by key; of a list of tables, in its first row."""
    data = tomllib.loads(load.LAB.read_text(encoding="utf-8"))
    for key, value in values.items():
        table, _, name = key.partition(".")
        body = data.setdefault(table, {})
        (body[0] if isinstance(body, list) else body)[name] = value
    return load.load(merge.plain(data), "changed")
