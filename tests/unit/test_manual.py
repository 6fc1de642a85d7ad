"""The manual pages and README.Debian say what the code does: commands, options, settings, units, files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from nfsha_config import cli, paths, render
from nfsha_config.build import source
from nfsha_config.build.changelog import Release
from nfsha_config.manual import roff
from nfsha_config.manual.pages import SOURCES, pages
from nfsha_config.problems import NfshaError
from nfsha_config.render import PACKAGES
from nfsha_config.site import kinds, load
from nfsha_config.site.settings import SETTINGS, TABLES, Setting

PAGES = pages()
SITE = load.load_file(load.LAB)
LAB = load.LAB.read_text(encoding="utf-8")
TREES = {package: source.files(package, SITE, LAB, Release("1.2.3", 1_700_000_000)) for package in PACKAGES}
READMES = {
    package: next(file.text for file in files if file.path == "/debian/README.Debian")
    for package, files in TREES.items()
}
UNITS = {
    path.name: path.read_text(encoding="utf-8")
    for path in paths.templates().glob("*/usr/lib/systemd/system/nfsha-*.*")
    if path.is_file()
}


def contexts(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Every command below one, with its place in the tree."""
    context = command.make_context(name, [], parent, resilient_parsing=True)
    yield context
    for word, child in getattr(command, "commands", {}).items():
        yield from contexts(child, word, context)


COMMANDS = {context.command_path: context for context in contexts(cli.nfsha, "nfsha")}


def page_of(title: str) -> str:
    """The source of the page that describes a command; a link is followed once."""
    text = PAGES[f"{title.replace(' ', '-')}.1"]
    link = re.fullmatch(r"\.so man1/(.+)\n", text)
    return PAGES[link[1]] if link else text


def plain(text: str) -> str:
    """What a reader sees, in one line: without fonts and requests that only format."""
    text = re.sub(r"\\f[BIR]|\\[%&]", "", text)
    for escape, character in {r"\(aq": "'", r"\(ti": "~", r"\(ha": "^", r"\(ga": "`", r"\-": "-"}.items():
        text = text.replace(escape, character)
    text = re.sub(r"(?m)^\.(?:PP|br|RS 4|RE|EX|EE|IP .*)$", "", text).replace(r"\e", "\\")
    return " ".join(text.split())


def words(text: str) -> str:
    """A text of the code as plain() shows it."""
    return " ".join(text.replace("`", "").split())


def section(text: str, heading: str, request: str = "SH") -> str:
    """What stands under a heading, up to the next one."""
    ends = r"^\.SH" if request == "SH" else r"^\.S[HS]"
    found = re.search(rf"(?ms)^\.{request} {re.escape(heading)}\n(.*?)(?={ends}|\Z)", text)
    assert found, heading
    return found[1]


@pytest.mark.parametrize("title", COMMANDS)
def test_a_command_has_a_page_with_each_of_its_options(title: str) -> None:
    context, text = COMMANDS[title], page_of(title)
    options = plain(section(text, "OPTIONS"))
    for parameter in context.command.get_params(context):
        if isinstance(parameter, click.Option):
            flags, said = parameter.get_help_record(context) or ("", "")
            assert f".TP {flags} {words(said)}" in options
            if parameter.name not in ("help", "version"):
                assert parameter.opts[-1] in plain(section(text, "SYNOPSIS"))


@pytest.mark.parametrize("title", COMMANDS)
def test_a_page_says_what_its_command_does_and_takes(title: str) -> None:
    context, text = COMMANDS[title], page_of(title)
    assert title in plain(text)
    summary = context.command.get_short_help_str(limit=1000).rstrip(".")
    assert words(summary).lower() in plain(text).lower()
    for parameter in context.command.params:
        if isinstance(parameter, click.Argument):
            (shown,) = parameter.get_usage_pieces(context)
            assert shown in plain(section(text, "SYNOPSIS"))
            choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else ()
            named = [parameter.human_readable_name] if choices in ((), PACKAGES) else choices
            assert all(re.search(rf"\b{word}\b", plain(section(text, "DESCRIPTION"))) for word in named)


@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if not text.startswith(".so ")])
def test_a_page_has_the_parts_that_a_reader_looks_for(name: str) -> None:
    text = PAGES[name]
    title, _, number = name.rpartition(".")
    assert plain(text).startswith(f".TH {title.upper()} {number} ")
    assert plain(section(text, "NAME")).startswith(f"{title} - ")
    wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"] + (["OPTIONS", "EXIT STATUS"] if number == "1" else [])
    for heading in wanted:
        assert section(text, heading).strip()
    assert text.endswith("\n")


def test_pages_refer_to_pages_that_exist() -> None:
    for name, text in PAGES.items():
        for page, number in re.findall(r"\b(nfsha[a-z-]*|site\.toml)\((\d)\)", plain(text)):
            assert f"{page}.{number}" in PAGES, (name, page)


def test_the_overview_names_each_command_and_each_unit() -> None:
    text = PAGES["nfsha.1"]
    for title in COMMANDS:
        if not title.startswith("nfsha host "):
            assert title in plain(section(text, "DESCRIPTION"))
    assert len(UNITS) > 10
    for unit in UNITS:
        assert unit in plain(section(text, "UNITS"))


def test_each_step_is_shown_with_the_unit_that_runs_it() -> None:
    steps = {
        (step, unit) for unit, text in UNITS.items() for step in re.findall(r"=/usr/bin/nfsha (host [a-z-]+)$", text, re.M)
    }
    assert {step for step, _ in steps} == {title.removeprefix("nfsha ") for title in COMMANDS if " host " in title}
    for step, unit in steps:
        assert f"Run by {unit}." in plain(section(PAGES["nfsha-host.1"], f"nfsha {step}", "SS"))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_the_site_s_page_names_each_setting_with_its_default(setting: Setting) -> None:
    table = f"[[{setting.table}]]" if setting.table in TABLES else f"[{setting.table}]"
    default = "required" if setting.default is None else f"default {kinds.typed(setting.default)}"
    said = words(f"{setting.help} {setting.why}")
    assert f".TP {setting.name} {said} ({setting.kind.name}; {default}" in plain(section(PAGES["site.toml.5"], table, "SS"))


def test_the_site_s_page_has_the_laboratory_for_an_example() -> None:
    example = re.search(r"(?s)\.EX\n(.*)\n\.EE", PAGES["site.toml.5"])
    assert example and plain(example[1]) == " ".join(LAB.split())


def test_the_date_is_the_release_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert ' 1 2023-11-14 "nfsha ' in pages()["nfsha.1"]


def test_a_command_without_a_page_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.nfsha.commands, "new", click.Command("new", help="New."))
    with pytest.raises(NfshaError, match=r"nfsha new: has no manual page \(write debian/man/nfsha-new\.1\.j2\)"):
        pages()


def test_each_source_becomes_a_page() -> None:
    assert {path.name.removesuffix(".j2") for path in SOURCES.glob("*.[0-9].j2")} <= set(PAGES)


def typed() -> Iterator[tuple[str, str]]:
    """Each command line of nfsha that a page or a README tells the reader to type."""
    for path in SOURCES.glob("*.j2"):
        text = path.read_text(encoding="utf-8")
        for line in re.findall(r"`nfsha ([^`]+)`|(?m:^nfsha ([a-z].*)$)", "\n".join(examples(text))):
            yield path.name, line[0] or line[1]
    readmes = {**READMES, "tool": (SOURCES.parent / "README.Debian").read_text(encoding="utf-8")}
    for name, text in readmes.items():
        for line in re.findall(r'"nfsha\s([^"]+)"|(?m:^  nfsha ([a-z ]+?)(?:   .*)?$)', text):
            yield name, " ".join((line[0] or line[1]).split())


def examples(text: str) -> Iterator[str]:
    yield from re.findall(r"`nfsha [^`]+`", text)
    yield from re.findall(r"(?s)\.EX\n(.*?)\.EE", text)


def test_what_the_reader_is_told_to_type_exists() -> None:
    seen = 0
    for where, line in typed():
        if line.startswith("-v") or " took over from " in line:
            continue
        title = "nfsha"
        rest = shlex.split(line)
        while rest and f"{title} {rest[0]}" in COMMANDS:
            title += f" {rest.pop(0)}"
        assert title != "nfsha", (where, line)
        context = COMMANDS[title]
        known = {flag for parameter in context.command.get_params(context) for flag in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= known, (where, line)
        seen += 1
    assert seen > 30


@pytest.mark.parametrize("package", PACKAGES)
def test_a_readme_names_each_file_that_is_made(package: str) -> None:
    text = READMES[package]
    node = SITE.nodes[0] if package == "nfsha-node" else None
    made = [file.path for file in render.configured(package, SITE, node)]
    assert made or package == "nfsha-iscsi-target"
    for path in made:
        assert path in text or (path.startswith("/etc/systemd/system/") and "/etc/systemd/system" in text), path
    secrets = package != "nfsha-client"
    assert ("/etc/nfsha/secrets" in text) is secrets
    assert ("/etc/tgt/conf.d/nfsha.conf" in text) is (package == "nfsha-iscsi-target")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_readme_can_be_read_in_a_terminal(package: str) -> None:
    lines = READMES[package].splitlines()
    assert lines[0] == f"{package} for Debian" and lines[1] == "=" * len(lines[0])
    assert [line for line in lines if len(line) > 79 or line != line.rstrip()] == []


def test_the_node_s_readme_names_what_its_target_wants() -> None:
    wanted = re.findall(r"(?m)^Wants=(.*)$", UNITS["nfsha-node.target"])
    assert len(wanted) == 2
    for unit in " ".join(wanted).split():
        assert unit.removesuffix(".service") in READMES["nfsha-node"]


def test_units_that_are_named_exist() -> None:
    texts = [*READMES.values(), *map(plain, PAGES.values())]
    for unit in {unit for text in texts for unit in re.findall(r"\bnfsha-[a-z-]+\.(?:service|target)\b", text)}:
        assert unit in UNITS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`--out` *FOLDER*", r"\fB\%\-\-out\fR \fI\%FOLDER\fR"),
        (".gitignore is a file", ".gitignore is a file"),
        ("'tis", r"\&'tis"),
        (r"a \ and -1, well-known", r"a \e and \-1, well-known"),
        ("see exports(5) (RFC 5798, 5.2.3)", r"see \fB\%exports\fR(5) (RFC 5798, 5.2.3)"),
        ("`.ucf-dist`", r"\fB\%.ucf\-dist\fR"),
        ("nfsha-node.target runs.", r"\%nfsha\-node.target runs."),
        ("`~/it's`", r"\fB\%\(ti/it\(aqs\fR"),
    ],
)
def test_text_stands_for_itself(text: str, expected: str) -> None:
    assert roff.page(text) == f"{expected}\n"


def test_only_an_example_keeps_its_lines() -> None:
    text = "one\n\n  two\n.EX\n  a = 'b'\n\n# c\n.EE\n"
    assert roff.page(text) == "one\ntwo\n.RS 4\n.EX\n  a = \\(aqb\\(aq\n\n# c\n.EE\n.RE\n"
