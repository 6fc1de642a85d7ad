"""What click knows of a command, as text for its manual page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from nfsha_config.cli import nfsha

_EVERYWHERE = ("--help", "--version")


@dataclass(frozen=True)
class Command:
    """A command of nfsha and its place in the tree of commands."""

    context: click.Context

    @property
    def title(self) -> str:
        """As it is typed."""
        return self.context.command_path

    @property
    def name(self) -> str:
        """The name of its manual page, without the section."""
        return self.title.replace(" ", "-")

    @property
    def summary(self) -> str:
        """One line; with a small letter, as the NAME section has it (man-pages(7))."""
        text = self.context.command.get_short_help_str(limit=1000).rstrip(".")
        return text if text[:2].isupper() else text[0].lower() + text[1:]

    @property
    def synopsis(self) -> str:
        """The command line."""
        words = [f"`{self.title}`"]
        arguments: list[str] = []
        for parameter in self.context.command.params:
            if isinstance(parameter, click.Option):
                words += _option_in_synopsis(parameter, self.context)
            else:
                arguments += map(_argument, parameter.get_usage_pieces(self.context))
        if isinstance(self.context.command, click.Group):
            arguments += ["*COMMAND*", "[*ARGUMENT* ...]"]
        return " ".join(words + arguments)

    @property
    def options(self) -> str:
        """A list of all options."""
        records = [parameter.get_help_record(self.context) for parameter in self.parameters]
        return "\n".join(
            f".TP\n{', '.join(map(_flag, record[0].split(', ')))}\n{' '.join(record[1].split())}"
            for record in records
            if record
        )

    @property
    def parameters(self) -> list[click.Parameter]:
        """Options and arguments, --help too."""
        return self.context.command.get_params(self.context)

    def children(self) -> Iterator[Command]:
        """The commands of a group."""
        if isinstance(self.context.command, click.Group):
            for name, child in self.context.command.commands.items():
                yield Command(_context(child, name, self.context))


def tree() -> list[Command]:
    """All commands, nfsha itself first."""
    return list(_below(Command(_context(nfsha, "nfsha", None))))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _below(command: Command) -> Iterator[Command]:
    yield command
    for child in command.children():
        yield from _below(child)


def _option_in_synopsis(option: click.Option, context: click.Context) -> Iterator[str]:
    record = option.get_help_record(context)
    if record and not set(option.opts) & set(_EVERYWHERE):
        shown = _flag(record[0].split(", ")[-1])
        yield shown if option.required else f"[{shown}]"


def _flag(text: str) -> str:
    """An option as click shows it, such as "--out FOLDER"."""
    flag, _, value = text.partition(" ")
    return f"`{flag}` *{value}*" if value else f"`{flag}`"


def _argument(piece: str) -> str:
    """An argument as click shows it: "HOST", "[SITE]" or "{on|off}"."""
    if piece.startswith("{"):
        return "{" + "|".join(f"`{word}`" for word in piece.strip("{}").split("|")) + "}"
    return f"[*{piece.strip('[]')}*]" if piece.startswith("[") else f"*{piece}*"
