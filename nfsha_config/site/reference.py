"""What the documentation says of site.toml, made of the settings table so that the two can't differ."""

from __future__ import annotations

from itertools import groupby

from nfsha_config.site import kinds
from nfsha_config.site.settings import MEANING, REQUIRED, SETTINGS, TABLES, Setting

_HEAD = """\
# site.toml

The description of a cluster, in [TOML](https://toml.io/en/v1.0.0). `nfsha example` prints a whole one, `nfsha check`
names all problems of one at once. A key that is left out has its default; a key that is not on this page is refused.

What a change costs a cluster that runs stands behind each key, `nfsha plan PACKAGE` shows it before the change is made,
and `nfsha configure PACKAGE` before it makes it:

{costs}

A node whose volumes are mounted refuses a change that costs an outage. It also refuses another value than that of a
node that has the same revision of the site, or a later one, unless the key may differ between nodes.

This page is made from `nfsha_config/site/settings.py` by `python3 -m nfsha_config.site.reference`, and the manual page
site.toml(5) from the same table; change it there.
"""


_INTRODUCTIONS = {
    "node": "Once for each server; the order gives the o2cb number and the VRRP preference.",
    "export": "Once, for the data.",
    "timings": "Chosen together with what has no setting, such as iSCSI's times: docs/reference/timings.md.",
}


def page() -> str:
    """The page, in Markdown."""
    tables = [_table(name, list(rows)) for name, rows in groupby(SETTINGS, lambda setting: setting.table)]
    costs = "\n".join(f"- *{cost}*: {meaning}" for cost, meaning in MEANING.items())
    return "\n".join([_HEAD.format(costs=costs), *tables])


def heading(table: str) -> str:
    """How a table begins in the file."""
    return f"[[{table}]]" if table in TABLES else f"[{table}]"


def introduction(table: str) -> str:
    """What is to be said of a table as a whole; "" for most."""
    return _INTRODUCTIONS.get(table, "")


def sentences(setting: Setting) -> str:
    """What a setting means, and why it is as it is."""
    return " ".join(sentence for sentence in (setting.help, setting.why) if sentence)


def facts(setting: Setting) -> str:
    """The kind of a setting's value, its default, and whether it is asked for."""
    default = "required" if setting.default is REQUIRED else f"default `{kinds.typed(setting.default)}`"
    asked = f"; asked by debconf, priority {setting.asked}" if setting.asked else ""
    own = "" if setting.shared else "; may differ between nodes"
    if setting.of_target:
        own = "; only the target looks at it"
    return f"{setting.kind.name}; {default}{asked}; a change costs: {setting.cost}{own}"


def _table(name: str, settings: list[Setting]) -> str:
    introduced = f"\n{introduction(name)}\n" if introduction(name) else ""
    return "\n".join([f"## {heading(name)}\n{introduced}", *(_setting(setting) for setting in settings)])


def _setting(setting: Setting) -> str:
    return f"### {setting.name}\n\n{sentences(setting)}\n\n*{facts(setting)}*\n"


if __name__ == "__main__":
    print(page(), end="")
