"""What an installed package brings to read: manual pages and README.Debian."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from nfsha_config.manual.pages import pages
from nfsha_config.render import PACKAGES
from tests.packages.conftest import Built

pytestmark = pytest.mark.slow
TOOL = "python3-nfsha-config"


def extracted(built: Built, package: str, folder: Path) -> Path:
    subprocess.run(["dpkg-deb", "--raw-extract", built.debs[package], folder], check=True)
    return folder / "usr" / "share"


def said(*argv: str | Path) -> tuple[int, str]:
    """Exit status and all that a program says on standard error; what it prints is thrown away."""
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFSEQ": ""}
    done = subprocess.run(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def said_of(*argv: str | Path) -> str:
    """What a program that succeeds prints."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_each_command_and_the_site_have_an_installed_page(built: Built, tmp_path: Path) -> None:
    share = extracted(built, TOOL, tmp_path)
    installed = {path.name for path in (share / "man").rglob("*.gz")}
    assert installed == {f"{name}.gz" for name in pages()}
    assert {path.parent.name for path in share.glob("man/*/*.gz")} == {"man1", "man5"}
    for path in (share / "man").rglob("*.gz"):
        assert path.exists(), f"{path.name} leads nowhere"


def test_pages_are_shown_without_a_warning(built: Built, tmp_path: Path) -> None:
    found = sorted((extracted(built, TOOL, tmp_path) / "man").rglob("*.gz"))
    assert len(found) > 20
    for path in found:
        assert said("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", path) == (0, ""), path.name
        # What apropos(1) finds it by.
        assert said("lexgrog", path) == (0, ""), path.name


def test_mandoc_has_nothing_to_warn_of(built: Built, tmp_path: Path) -> None:
    for path in sorted((extracted(built, TOOL, tmp_path) / "man").rglob("*.gz")):
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_maker_of_the_pages_is_not_installed(built: Built, tmp_path: Path) -> None:
    share = extracted(built, TOOL, tmp_path)
    assert not list(share.parent.rglob("manual")) and not list(share.rglob("*.1.j2"))


def test_the_news_are_those_of_a_release(built: Built, tmp_path: Path) -> None:
    """As apt-listchanges(1) shows them to who upgrades."""
    doc = extracted(built, TOOL, tmp_path) / "doc" / TOOL
    releases = []
    for name in ("changelog", "NEWS.Debian"):
        text = gzip.decompress((doc / f"{name}.gz").read_bytes())
        (tmp_path / name).write_bytes(text)
        releases.append(said_of("dpkg-parsechangelog", "--all", "-S", "Version", "-l", tmp_path / name).split())
    history, news = releases
    assert news and set(news) <= set(history)


@pytest.mark.parametrize("package", [*PACKAGES, TOOL])
def test_a_package_explains_itself_to_debian_s_admin(built: Built, package: str, tmp_path: Path) -> None:
    (readme,) = (extracted(built, package, tmp_path) / "doc" / package).glob("README.Debian*")
    content = readme.read_bytes()
    text = (gzip.decompress(content) if readme.suffix == ".gz" else content).decode()
    assert text.startswith(f"{package} for Debian\n")
    for heading in ("What stays", "When it does not work", "Documentation"):
        assert f"\n{heading}\n{'-' * len(heading)}\n" in text
    others = {*PACKAGES, TOOL} - {package} if package == TOOL else set()
    for other in others:
        assert f"  /usr/share/doc/{other}\n" in text
