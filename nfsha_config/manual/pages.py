"""All manual pages: what code knows of itself comes from it, the rest from debian/man/*.j2."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby

from nfsha_config.build import changelog
from nfsha_config.manual import roff
from nfsha_config.manual.command import Command, tree
from nfsha_config.problems import NfshaError
from nfsha_config.render.templating import environment_of
from nfsha_config.site import load, reference
from nfsha_config.site.settings import MEANING, SETTINGS

SOURCES = changelog.CHECKOUT / "debian" / "man"
_SITE = "site.toml.5"


def pages() -> dict[str, str]:
    """Each page by the name of its file. A page for another command is a link to the one that describes it.

    Raises NfshaError for a command that has no page.
    """
    commands = {command.name: command for command in tree()}
    example = load.LAB.read_text(encoding="utf-8")
    found = {_SITE: _render(_SITE, settings=_settings(), costs=_costs(), example=example)}
    for name, command in commands.items():
        described = _described(command)
        file = f"{name}.1"
        found[file] = _render(file, command=command, commands=commands) if described == name else _link(described)
    return found


def _described(command: Command) -> str:
    """The page that describes a command: its own or its group's, but for the overview of all commands."""
    group = command.context.parent
    names = [command.name, *([Command(group).name] if group and group.parent else [])]
    for name in names:
        if (SOURCES / f"{name}.1.j2").is_file():
            return name
    raise NfshaError(f"{command.title}: has no manual page (write debian/man/{command.name}.1.j2)")


def _link(name: str) -> str:
    """dh_installman(1) makes a symbolic link of it."""
    return f".so man1/{name}.1\n"


def _render(file: str, **values: object) -> str:
    name, _, section = file.rpartition(".")
    release = changelog.release()
    date = datetime.fromtimestamp(release.epoch, UTC).date().isoformat()
    words = (roff.literal(name.upper()), section, date, f'"nfsha {release.version}"', "nfsha")
    template = environment_of(SOURCES).get_template(f"{file}.j2")
    return roff.page(template.render(title=f".TH {' '.join(words)}", name=name, **values))


def _settings() -> str:
    """The settings by their tables."""
    parts = []
    for table, rows in groupby(SETTINGS, lambda setting: setting.table):
        parts += [f".SS {reference.heading(table)}", reference.introduction(table)]
        for setting in rows:
            parts += [".TP", f"`{setting.name}`", reference.sentences(setting), ".br", f"({reference.facts(setting)})"]
    return "\n".join(parts)


def _costs() -> str:
    """What a change of a setting can cost."""
    return "\n".join(line for cost, meaning in MEANING.items() for line in (".TP", f"`{cost}`", f"{meaning}."))
