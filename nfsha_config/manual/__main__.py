"""Writes the manual pages into a folder: python3 -m nfsha_config.manual FOLDER."""

from __future__ import annotations

from pathlib import Path

import click

from nfsha_config.cli import files_errors
from nfsha_config.manual import pages
from nfsha_config.problems import NfshaError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Write the manual pages of nfsha into FOLDER."""
    try:
        write(folder)
    except NfshaError as error:
        raise click.ClickException(str(error)) from error


@files_errors
def write(folder: Path) -> None:
    """Write the pages. Raises NfshaError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.pages().items():
        (folder / name).write_text(text, encoding="utf-8")


main(prog_name="python3 -m nfsha_config.manual")
