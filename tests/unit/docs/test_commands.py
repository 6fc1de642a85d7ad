"""Every command of the pages exists, and is run by a test, or the page says why not."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from nfsha_config import cli, render
from nfsha_config.build.question import questions
from nfsha_config.paths import Paths, templates
from nfsha_config.render import PACKAGES, RESIDENT
from nfsha_config.site import load
from nfsha_config.site.secrets import Secrets
from nfsha_lab import cli as lab_cli
from tests import pages
from tests.pages import COMMANDS, PAGES, TOP, WHY_NOT, Block, Page

SITE = load.load_file(load.LAB)
KINDS = {*COMMANDS, "toml", "text"}
RUN_BY = {
    "build-host": ("tests/packages/test_tutorial.py", "tests/packages/test_vagrant.py", "tests/packages/test_air_gap.py"),
    "stdeb": ("tests/packages/test_stdeb.py",),
    "new-debian": ("tests/packages/test_stdeb.py",),
    "docker": ("tests/packages/test_docker.py",),
    "machine": ("tests/cluster/test_docker.py",),
    "gap": ("tests/packages/test_air_gap.py",),
    "": (
        "tests/packages/test_tutorial.py", "tests/cluster/test_howto.py", "tests/cluster/test_life_cycle.py",
        "tests/cluster/test_releases.py",
    ),
}
"""Where the commands of a place are run; "" stands for the laboratory's machines."""

ALL = [Page(path) for path in PAGES]
BLOCKS = [pytest.param(page, block, id=f"{page.name}:{block.line}") for page in ALL for block in page.blocks]
each_page = pytest.mark.parametrize("page", ALL, ids=[page.name for page in ALL])


def words(text: str) -> Iterator[list[str]]:
    """The simple commands of a line, in words; what is no shell, such as an option alone, is one too."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;()<>")
        lexer.commenters, lexer.whitespace_split = "#", True
        tokens = list(lexer)
    except ValueError:
        return
    command: list[str] = []
    for token in [*tokens, ";"]:
        if token and set(token) <= set("|&;()<>"):
            if command:
                yield command
            command = []
        else:
            command.append(token)


def in_blocks(page: Page) -> Iterator[list[str]]:
    """The commands that a reader types."""
    for block in page.blocks:
        if block.kind in COMMANDS:
            for command in block.commands:
                yield from words(command.text)


def in_prose(page: Page) -> Iterator[list[str]]:
    """What stands as code inside of the text: commands whose values may be left out or be words in capitals."""
    for token in page.inline("code_inline"):
        yield from words(token.content)


# What the pages are made of.


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_a_block_says_what_it_is(page: Page, block: Block) -> None:
    assert block.kind in KINDS, f"the info string is one of {', '.join(sorted(KINDS))}"


@pytest.mark.parametrize(("page", "block"), [one for one in BLOCKS if one.values[1].kind in COMMANDS])  # type: ignore[union-attr]
def test_a_command_is_run_by_a_test_or_the_page_says_why_not(page: Page, block: Block) -> None:
    assert block.commands, "no command stands in it"
    if not block.where:
        assert WHY_NOT in block.before, f'the text before it has no sentence that begins with "{WHY_NOT}"'
        return
    runners = RUN_BY.get(block.where, RUN_BY[""][1:])
    assert any(f'"{page.name}"' in (TOP / runner).read_text(encoding="utf-8") for runner in runners), (
        f"none of {', '.join(runners)} walks through {page.name}"
    )


@each_page
def test_each_link_leads_somewhere(page: Page) -> None:
    addresses = [token.attrGet("href") for token in page.inline("link_open")]
    addresses += [token.attrGet("src") for token in page.inline("image")]
    for address in map(str, addresses):
        path, _, anchor = address.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        place = (page.path.parent / path).resolve() if path else page.path
        assert place.exists(), f"{address} is not there"
        assert not anchor or anchor in Page(place).anchors, f"{address}: no such heading"


def test_each_page_is_listed() -> None:
    index = Page(TOP / "docs" / "index.md")
    listed = {(index.path.parent / str(token.attrGet("href"))).resolve() for token in index.inline("link_open")}
    assert listed >= set(PAGES) - {index.path}


# What the commands name.


def parse(command: click.Command, name: str, arguments: list[str]) -> None:
    """Parse as click does, down to the last subcommand. Raises UsageError."""
    try:
        context = command.make_context(name, list(arguments))
    except click.exceptions.Exit:
        # It has shown its help or version.
        return
    if isinstance(command, click.Group):
        rest = [*context.protected_args, *context.args]
        found, inner, left = command.resolve_command(context, rest)
        assert found is not None and inner is not None
        parse(inner, found, left)


PROGRAMS = {"nfsha": cli.nfsha, "scripts/lab": lab_cli.cli}


@each_page
def test_the_programs_take_the_command_lines(page: Page) -> None:
    for command in in_blocks(page):
        if command[0] in PROGRAMS:
            parse(PROGRAMS[command[0]], command[0], command[1:])


@each_page
def test_the_programs_know_what_the_text_says_of_them(page: Page) -> None:
    for command in in_prose(page):
        if command[0] in PROGRAMS and len(command) > 1:
            try:
                parse(PROGRAMS[command[0]], command[0], command[1:])
            except click.BadParameter:
                # A value is left out, or is a word that stands for one.
                continue


def test_what_does_not_exist_is_noticed() -> None:
    for wrong in ("nfsha stauts", "nfsha status --yaml", "nfsha repo serve", "nfsha maintenance of"):
        with pytest.raises(click.UsageError):
            parse(cli.nfsha, "nfsha", wrong.split()[1:])


def unit_files() -> set[str]:
    """The units and init scripts that nfsha's files are, and those of the programs that tests borrow."""
    known = {Path(file.path).name for host in ("nfs1", "target", "client") for file in rendered(host)}
    for root in filter(None, (os.environ.get("NFSHA_BORROWED"), "/")):
        for folder in ("lib/systemd/system", "usr/lib/systemd/system"):
            known |= {path.name for path in (Path(root) / folder).glob("*")}
        known |= {f"{path.name}.service" for path in (Path(root) / "etc/init.d").glob("*")}
    # Made by the page that names it.
    return known | {"writing.service"}


def rendered(host: str) -> tuple[render.ManagedFile, ...]:
    return render.files(host, SITE, Secrets("0123456789ab-node", "0123456789ab-target"))


UNITS = unit_files()
_NAMED = {"start", "stop", "restart", "reload", "status", "is-active", "reset-failed", "try-restart"}


def units(command: list[str]) -> Iterator[str]:
    """The units that a command line names."""
    name, *arguments = command
    named = [word for word in arguments if not word.startswith("-")]
    if name == "systemctl" and named[:1] and named[0] in _NAMED:
        yield from named[1:]
    if name == "journalctl":
        yield from (after for before, after in pairwise(arguments) if before in ("-u", "--unit"))


@each_page
def test_the_units_exist(page: Page) -> None:
    for command in (*in_blocks(page), *in_prose(page)):
        for unit in units(command):
            whole = unit if "." in unit else f"{unit}.service"
            assert whole in UNITS or unit.isupper(), f"{' '.join(command)}: {whole} is no unit of nfsha or its programs"


def own_paths() -> Iterator[str]:
    """The places on a machine that are nfsha's."""
    for host in ("nfs1", "target", "client"):
        yield from (file.path for file in rendered(host))
    here = Paths()
    own = ("site", "secrets", "host", "applied_site", "maintenance", "o2cb_before")
    yield from (str(getattr(here, name)) for name in own)
    yield from (str(here.packaged_site(package)) for package in PACKAGES)
    sources = [*(TOP / "nfsha_config" / "host").glob("*.py"), *templates().rglob("*")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.is_file())
    yield from (str(here.now(name)) for name in re.findall(r'\bnow\("([\w.]+)"\)', text))
    yield from (str(here.shared(name)) for name in re.findall(r'\bshared\("([\w.]+)"\)', text))
    yield from re.findall(r"/(?:run|var/lib/nfs)/nfsha/[\w.]+", text)
    yield from ("/etc/apt/sources.list.d/nfsha.sources", "/root/nfsha.sources")


OWN = set(own_paths())
OWN_FOLDERS = {str(parent) for path in OWN for parent in Path(path).parents}
# What stands for many, such as a node's report, or lies in a container.
_PATTERNS = re.compile(
    r"/var/lib/nfs/nfsha/status\.NODE|/etc/nfsha/NAME\.edited|/usr/share/nfsha-\*|/usr/share/doc/nfsha-(node|client|iscsi-target)|/var/lib/nfsha-key"
)


@each_page
def test_the_places_exist(page: Page) -> None:
    shown = [" ".join(command) for command in in_blocks(page)]
    text = "\n".join([*shown, *(token.content for token in page.inline("code_inline"))])
    for path in re.findall(r"(?<![\w.~*-])/(?:etc|run|usr|var|root)/[\w./@*-]+", text):
        if "nfsha" in path and not path.startswith("/usr/bin/"):
            known = path in OWN or path.rstrip("/") in OWN_FOLDERS or _PATTERNS.fullmatch(path)
            assert known, f"{path} is no place of nfsha's"


def test_the_units_that_run_beside_the_service_are_noticed() -> None:
    """The set of known units is one that can lack a name."""
    assert set(RESIDENT) <= UNITS and "nfsha-nothing.service" not in UNITS


# What the tutorial promises.


def test_the_tutorial_explains_every_question() -> None:
    text = (TOP / "docs/tutorial/first-cluster.md").read_text(encoding="utf-8")
    table = text.partition("## What each question means")[2].partition("\n## ")[0]
    asked = [question for package in PACKAGES for question in questions(package, SITE)]
    assert asked
    for question in asked:
        assert (question.key or question.short.rstrip(":")) in table, f"{question.name} is not explained"


# The reader of pages itself.


def test_what_is_shown_is_compared_with_what_is_printed() -> None:
    shown = pages.Command("x", "a ...\nb\n")
    shown.check("a 1\nb\n")
    for other in ("a 1\nc\n", "b\n", "a 1\nb\nmore\n"):
        with pytest.raises(AssertionError):
            shown.check(other)
    pages.Command("x", "a ... b ...\n").check("a 1 b \n")
    for printed in ("b\na\n", "b\na\nc\nd\n"):
        pages.Command("x", "...\na\n...\n").check(printed)


def test_a_walk_ends_when_all_was_run() -> None:
    ran: list[str] = []
    with pages.Walk("docs/howto/take-a-node-down.md", {}) as walk:
        here = {block.where: lambda command: ran.append(command) or "" for block in walk.left}
        walk.places.update(here)
        shown = [command.shown for block in walk.left for command in block.commands]
        walk.places.update({where: _printing(ran, shown) for where in here})
        walk.to_the_end()
    assert ran[0] == "nfsha maintenance on"
    with pytest.raises(AssertionError, match="were not run"), pages.Walk("docs/howto/take-a-node-down.md", {}):
        pass


def _printing(ran: list[str], shown: list[str]) -> pages.Run:
    def run(command: str) -> str:
        ran.append(command)
        return shown[len(ran) - 1]

    return run


def test_a_part_of_a_site_is_put_into_it() -> None:
    text = load.LAB.read_text(encoding="utf-8")
    part = '[network]\nfail_back = "automatic"\n[[export]]\npath = "/srv/nfs4/data"\nclients = ["a"]\n[[node]]\nname = "nfs3"\naddress = "192.168.50.13"\n'
    site = load.load(pages.edited(text, part), "edited")
    assert (site.network.fail_back, site.exports[0].clients, len(site.exports)) == ("automatic", ("a",), 1)
    assert [node.name for node in site.nodes] == ["nfs1", "nfs2", "nfs3"]
    assert site.exports[0].fsid == SITE.exports[0].fsid
