"""The tool's package as stdeb makes it: installed in a bare Debian it does all, and the repository's package replaces it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nfsha_config.build import changelog, deb, source
from nfsha_config.build.sources import PLACEHOLDER
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from nfsha_lab.folders import Folders
from tests.packages.conftest import Built

pytestmark = pytest.mark.slow
TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "howto" / "install-the-tool.md"
VERSION = f"{changelog.release().version}~stdeb-1"
FIELDS = ("Package", "Architecture", "Maintainer", "Section", "Priority", "Homepage")
ENTER = """
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --bind "$1" "$0/mnt"
shift
exec chroot "$0" "$@"
"""


@dataclass(frozen=True)
class Root:
    """A minimal Debian in a folder, without network, with another folder as its /mnt."""

    folder: Path
    mnt: Path

    def run(self, *argv: str) -> str:
        """What a command prints that must succeed."""
        inside = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root", *argv]
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-ec", ENTER, self.folder, self.mnt, *inside],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .deb, made by the page's command in a clean copy of the checkout."""
    checkout = tmp_path_factory.mktemp("stdeb") / "checkout"
    left_over = (".*", "__pycache__", "*.egg-info", "deb_dist", "repo", "secrets", "*.preseed", "*.tar.gz")
    shutil.copytree(TOP, checkout, ignore=shutil.ignore_patterns(*left_over))
    command = re.search(r"^python3 (setup\.py .*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert command
    done = subprocess.run(
        ["/usr/bin/python3", *command[1].split()], cwd=checkout, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = list(checkout.glob("deb_dist/*.deb"))
    assert [path.name for path in found] == [f"{deb.TOOL}_{VERSION}_all.deb"]
    return found[0]


def field(archive: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "--field", archive, name], capture_output=True, text=True, check=True).stdout.strip()


def relations(archive: Path, name: str) -> set[str]:
    return set(field(archive, name).split(", "))


@pytest.fixture(scope="module")
def debian(made: Path) -> Path:
    """An archive of a minimal Debian with what the package depends on and recommends, kept for the next run."""
    names = sorted(name.partition(":")[0] for name in relations(made, "Depends") | relations(made, "Recommends"))
    folder = Folders.of_environment().cache / "chroots"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"stdeb-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}.tar"
    if not kept.exists():
        new = kept.with_suffix(".new.tar")
        mirror = os.environ.get("NFSHA_LAB_MIRROR")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(names)}", "bookworm", new]
        subprocess.run([*command, *([mirror] if mirror else [])], check=True, timeout=1800)
        new.rename(kept)
    return kept


@pytest.fixture
def root(debian: Path, made: Path, built: Built, tmp_path: Path) -> Iterator[Root]:
    """The package installed there by apt, offline; in /mnt lie it and the repository of `nfsha build`."""
    folder, mnt = tmp_path / "root", tmp_path / "mnt"
    for path in (folder, mnt):
        path.mkdir()
    shutil.copy(made, mnt)
    shutil.copytree(built.repository, mnt / "repository")
    subprocess.run(["tar", "--extract", "--file", debian, "--exclude=./dev/*", "--directory", folder], check=True)
    here = Root(folder, mnt)
    here.run("apt-get", "install", "--yes", "--no-install-recommends", f"/mnt/{made.name}")
    yield here
    shutil.rmtree(folder)


def test_what_stdeb_is_told_agrees_with_debian_control(made: Path, built: Built) -> None:
    ours = built.debs[deb.TOOL]
    for name in FIELDS:
        assert field(made, name) == field(ours, name)
    for name in ("Depends", "Recommends"):
        assert relations(made, name) == relations(ours, name)
    subprocess.run(["dpkg", "--compare-versions", field(made, "Version"), "lt", field(ours, "Version")], check=True)


def test_it_has_the_files_of_the_package(made: Path, built: Built) -> None:
    def files(archive: Path) -> set[tuple[str, str]]:
        done = subprocess.run(["dpkg-deb", "--contents", archive], capture_output=True, text=True, check=True)
        lines = (line.split() for line in done.stdout.splitlines())
        return {(words[0], words[5]) for words in lines if not re.match(r"\./usr/share/(doc|man|lintian)/", words[5])}

    assert files(made) ^ files(built.debs[deb.TOOL]) == set()


def test_it_works_where_only_debian_is(root: Root, made: Path) -> None:
    assert root.run("nfsha", "--version").split() == ["nfsha", VERSION.partition("~")[0]]
    example = root.run("nfsha", "example")
    assert example == load.LAB.read_text(encoding="utf-8")
    assert "good; cluster ocfs2" in root.run("sh", "-c", "nfsha example >/root/site.toml && nfsha check /root/site.toml")
    golden = TOP / "tests" / "golden" / "lab" / "nfs1" / "etc" / "keepalived" / "keepalived.conf"
    assert golden.read_text(encoding="utf-8") in root.run("nfsha", "render", "nfs1")
    root.run("nfsha", "build", "--out", "/root/repo", "--tool", f"/mnt/{made.name}")
    site = source.version(load.load_file(load.LAB), changelog.Release(VERSION, 0))
    debs = sorted(path.name for path in root.folder.glob("root/repo/pool/**/*.deb"))
    assert debs == sorted([made.name, *(f"{name}_{site}_all.deb" for name in PACKAGES)])
    assert {f"{deb.TOOL} (>= {VERSION})"} < relations(next(root.folder.glob("root/repo/pool/**/nfsha-node_*")), "Depends")


def test_the_repositorys_package_is_its_upgrade(root: Root) -> None:
    assert root.run("dpkg-query", "--show", "--showformat=${Version}", deb.TOOL) == VERSION
    sources = (root.mnt / "repository" / "nfsha.sources").read_text(encoding="utf-8")
    place = root.folder / "etc" / "apt" / "sources.list.d" / "nfsha.sources"
    place.write_text(sources.replace(PLACEHOLDER, "file:/mnt/repository/"), encoding="utf-8")
    (root.folder / "etc" / "apt" / "sources.list").write_text("", encoding="utf-8")
    root.run("apt-get", "update", "--error-on=any")
    root.run("apt-get", "upgrade", "--yes")
    assert root.run("dpkg-query", "--show", "--showformat=${Version}", deb.TOOL) == changelog.release().version
    assert root.run("dpkg", "--verify", deb.TOOL) == ""
    assert "==> /etc/keepalived/keepalived.conf" in root.run("nfsha", "render", "nfs1")
    assert not list(root.folder.glob("usr/share/doc/python3-nfsha-config/changelog.Debian.gz"))
