"""The pages of the documentation as tests read them: their commands, what these print, and their links.

A fenced block's info string says what it is: `console` has commands behind a prompt and what they print, `sh` has
commands alone, `toml` a site or a part of one, `text` no command at all. The second word of a block of commands names
where a test runs it, in the order of the page; a block without one says in the sentence before it why no test does.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from nfsha_config.site import merge

TOP = Path(__file__).resolve().parents[1]
PAGES = (TOP / "README.md", *sorted((TOP / "docs").rglob("*.md")))
COMMANDS = ("console", "sh")
WHY_NOT = "No test runs"
"""How the sentence begins that stands before a block which no test runs."""

Run = Callable[[str], str]
"""Runs a command and returns all that it prints; raises when it fails."""

_KEYS = {"node": "name", "export": "path"}


@dataclass(frozen=True)
class Command:
    """A command, and what the page shows of its output; "..." stands for anything."""

    text: str
    shown: str = ""

    def check(self, printed: str) -> None:
        """Whether it printed what the page shows."""
        # Where nothing follows in a line, programs print a blank or none; at the end, no line may follow.
        shown = re.sub(r" +\.\.\.$|\n\.\.\.\Z", "...", self.shown.strip(), flags=re.MULTILINE)
        pattern = "(.|\n)*?".join(re.escape(part) for part in shown.split("..."))
        assert not self.shown or re.fullmatch(pattern, printed.strip()), (
            f"{self.text}\nprinted:\n{printed}\nbut the page shows:\n{self.shown}"
        )


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string in words, its text, the line of its fence, and the text that stands before it."""

    info: tuple[str, ...]
    text: str
    line: int
    before: str

    @property
    def kind(self) -> str:
        """The first word of the info string."""
        return self.info[0] if self.info else ""

    @property
    def where(self) -> str:
        """The name of the place where a test runs it, "" for a block which none runs."""
        return self.info[1] if len(self.info) > 1 else ""

    @property
    def commands(self) -> list[Command]:
        """What a reader types, in order."""
        if self.kind == "sh":
            return [Command(line) for line in self.text.splitlines() if line.strip()]
        found: list[Command] = []
        for line in self.text.splitlines():
            if line.startswith(("$ ", "# ")):
                found.append(Command(line[2:]))
            else:
                assert found, f"{line}: nothing was typed before it"
                found[-1] = Command(found[-1].text, f"{found[-1].shown}{line}\n")
        return found


class Page:
    """One page, parsed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path.relative_to(TOP))
        self.tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))

    @property
    def blocks(self) -> Iterator[Block]:
        """The fenced blocks."""
        before = ""
        for token in self.tokens:
            if token.type == "inline":
                before = token.content
            elif token.type in ("fence", "code_block"):
                assert token.map is not None
                yield Block(tuple(token.info.split()), token.content, token.map[0] + 1, before)

    def inline(self, kind: str) -> Iterator[Token]:
        """The parts of that kind inside of its text."""
        for token in self.tokens:
            yield from (child for child in token.children or () if child.type == kind)

    @property
    def anchors(self) -> set[str]:
        """The names of its headings in an address, as GitHub makes them."""
        titles = [self.tokens[at + 1].content for at, token in enumerate(self.tokens) if token.type == "heading_open"]
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class Walk:
    """A page's marked blocks, run one after the other: `console` and `sh` by the place's name, `toml` by its second word.

    values stand in for what the page's reader has, such as addresses. At its end all marked blocks have been run; with
    `only`, those of these places.
    """

    def __init__(
        self, page: str, places: Mapping[str, Run], values: Mapping[str, str] | None = None, only: Container[str] | None = None
    ) -> None:
        self.page = page
        self.places = dict(places)
        self.values = values or {}
        self.left = [block for block in Page(TOP / page).blocks if block.where and (not only or block.where in only)]

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            assert not self.left, f"{self.page}: {len(self.left)} blocks were not run, from line {self.left[0].line} on"

    def to_the_end(self) -> None:
        """Run all that is left."""
        while self.left:
            self.step()

    def step(self, *wheres: str) -> None:
        """Run the next block; or the next ones, which must be of these places."""
        for where in wheres or (self.left[0].where,):
            block = self.left.pop(0)
            assert block.where == where, f"{self.page}:{block.line}: is of {block.where}, not of {where}"
            run = self.places[where]
            if block.kind not in COMMANDS:
                run(self._filled(block.text))
                continue
            for command in block.commands:
                Command(command.text, self._filled(command.shown)).check(run(self._filled(command.text)))

    def _filled(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(name, value)
        return text


def edited(site: str, part: str) -> str:
    """A site's text with a part of one put in: keys are set, a node or an export of another name is added."""
    data, wanted = tomllib.loads(site), tomllib.loads(part)
    for table, body in wanted.items():
        if table not in _KEYS:
            data.setdefault(table, {}).update(body)
            continue
        for row in body:
            _row(data[table], row, _KEYS[table]).update(row)
    return merge.plain(data)


def _row(rows: list[dict[str, Any]], wanted: dict[str, Any], key: str) -> dict[str, Any]:
    for row in rows:
        if row[key] == wanted[key]:
            return row
    rows.append({})
    return rows[-1]
