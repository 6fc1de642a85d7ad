"""The questions in German and Spanish: all of them, and none behind the English text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from nfsha_config import paths
from nfsha_config.build import changelog, source
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from tests.golden.sites import HERE
from tests.packages.conftest import Built

LANGUAGES = ("de", "es")
SITES = {"lab": load.LAB, "three": HERE / "three" / "site.toml"}
CATALOGUES = paths.templates() / "common" / "debian" / "po"
EACH = pytest.mark.parametrize("language", LANGUAGES)


def updated(package: str, site: str, folder: Path) -> Path:
    """A package's po folder after what its build does to it."""
    text = SITES[site].read_text(encoding="utf-8")
    source.write(source.files(package, load.load(text, site), text, changelog.release()), folder)
    rules = (folder / "debian" / "rules").read_text(encoding="utf-8")
    line = next(line.strip() for line in rules.splitlines() if "debconf-updatepo" in line)
    subprocess.run(line.split(), cwd=folder, check=True)
    return folder / "debian" / "po"


def messages(catalogue: Path, *options: str) -> dict[str, str]:
    """Message to translation, but for the header."""
    text = subprocess.run(
        ["msgattrib", "--no-obsolete", "--no-wrap", *options, str(catalogue)], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r'^msgid "(.+)"\nmsgstr "(.*)"$', text, re.MULTILINE)
    return {message.replace(r"\"", '"'): translation for message, translation in found}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("package", PACKAGES)
def test_every_question_is_translated_whatever_the_site(package: str, site: str, tmp_path: Path) -> None:
    po = updated(package, site, tmp_path)
    number = len(messages(po / "templates.pot"))
    assert number > 0
    for language in LANGUAGES:
        done = subprocess.run(
            ["msgfmt", "--check", "--statistics", "--output-file=/dev/null", str(po / f"{language}.po")],
            capture_output=True, text=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert done.stderr == f"{number} translated messages.\n", f"{language}: run scripts/update-po, and translate"


@pytest.mark.parametrize("site", SITES)
def test_the_catalogues_are_as_po_debconf_leaves_them(site: str, tmp_path: Path) -> None:
    po = updated("nfsha-node", site, tmp_path)
    for path in sorted(CATALOGUES.iterdir()):
        assert (po / path.name).read_text() == path.read_text(), f"{path.name}: run scripts/update-po"
    assert {path.stem for path in CATALOGUES.glob("*.po")} == set(LANGUAGES)


@EACH
def test_what_is_no_language_stays(language: str) -> None:
    given = re.compile(r"\$\{\w+\}|/\w+/[\w/]+|timings\.\w+|nfsha secrets init|[\w.]+\(5\)|nopreempt|\w+\.c\b|\b\d+\b")
    for message, translation in messages(CATALOGUES / f"{language}.po").items():
        assert sorted(given.findall(message)) == sorted(given.findall(translation)), message
        if message[-1] in ".:?":
            assert translation[-1] == message[-1], message
            assert len(translation) <= 75 or message[-1] == ".", translation


@pytest.mark.slow
def test_the_packages_bring_both_languages(built: Built, tmp_path: Path) -> None:
    for package in PACKAGES:
        subprocess.run(["dpkg-deb", "--control", built.debs[package], tmp_path / package], check=True)
        text = (tmp_path / package / "templates").read_text(encoding="utf-8")
        for stanza in text.strip().split("\n\n"):
            if "internal use" not in stanza:
                assert "\nDescription-de.UTF-8: " in stanza and "\nDescription-es.UTF-8: " in stanza, stanza
