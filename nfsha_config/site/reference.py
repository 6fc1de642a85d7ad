"""What the documentation says of site.toml, made of the settings table so that the two can't differ."""

from __future__ import annotations

from itertools import groupby

from nfsha_config.site import kinds
from nfsha_config.site.settings import REQUIRED, SETTINGS, TABLES, Setting

_HEAD = """\
# site.toml

The description of a cluster, in [TOML](https://toml.io/en/v1.0.0). `nfsha example` prints a whole one, `nfsha check`
names all problems of one at once. A key that is left out has its default; a key that is not on this page is refused.

This page is made from `nfsha_config/site/settings.py` by `python3 -m nfsha_config.site.reference`, and the manual page
site.toml(5) from the same table; change it there.
"""


_LISTS = {
    "node": "Once for each server; the order gives the o2cb number and the VRRP preference.",
    "export": "Once for each exported directory.",
}


def page() -> str:
    """The page, in Markdown."""
    tables = [_table(name, list(rows)) for name, rows in groupby(SETTINGS, lambda setting: setting.table)]
    return "\n".join([_HEAD, *tables])


def heading(table: str) -> str:
    """How a table begins in the file."""
    return f"[[{table}]]" if table in TABLES else f"[{table}]"


def introduction(table: str) -> str:
    """What is to be said of a table as a whole; "" for most."""
    return _LISTS.get(table, "")


def sentences(setting: Setting) -> str:
    """What a setting means, and why it is as it is."""
    return " ".join(sentence for sentence in (setting.help, setting.why) if sentence)


def facts(setting: Setting) -> str:
    """The kind of a setting's value, its default, and whether it is asked for."""
    default = "required" if setting.default is REQUIRED else f"default `{kinds.typed(setting.default)}`"
    asked = f"; asked by debconf, priority {setting.asked}" if setting.asked else ""
    return f"{setting.kind.name}; {default}{asked}"


def _table(name: str, settings: list[Setting]) -> str:
    introduced = f"\n{introduction(name)}\n" if introduction(name) else ""
    return "\n".join([f"## {heading(name)}\n{introduced}", *(_setting(setting) for setting in settings)])


def _setting(setting: Setting) -> str:
    return f"### {setting.name}\n\n{sentences(setting)}\n\n*{facts(setting)}*\n"


if __name__ == "__main__":
    print(page(), end="")
