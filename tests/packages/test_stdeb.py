"""The tool's package as stdeb makes it: installed in a bare Debian it does all, and the repository's package replaces it."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.build import changelog, deb, source
from nfsha_config.build.sources import PLACEHOLDER
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from tests.packages import chroot
from tests.packages.chroot import Chroot
from tests.packages.conftest import Built
from tests.pages import TOP, Walk

pytestmark = [pytest.mark.slow, pytest.mark.long]
VERSION = f"{changelog.release().version}~stdeb-1"
FIELDS = ("Package", "Architecture", "Maintainer", "Section", "Priority", "Homepage")
PAGE = "docs/howto/install-the-tool.md"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .deb, made by the page's command in a clean copy of the checkout."""
    checkout = tmp_path_factory.mktemp("stdeb") / "checkout"
    left_over = (".*", "__pycache__", "*.egg-info", "deb_dist", "repo", "secrets", "*.preseed", "*.tar.gz")
    shutil.copytree(TOP, checkout, ignore=shutil.ignore_patterns(*left_over))

    def run(command: str) -> str:
        # Debian's Python, whatever stands before it in PATH.
        argv = ["/usr/bin/python3", *shlex.split(command)[1:]]
        done = subprocess.run(argv, cwd=checkout, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with Walk(PAGE, {"stdeb": run}, only=["stdeb"]) as page:
        page.to_the_end()
    found = list(checkout.glob("deb_dist/*.deb"))
    assert [path.name for path in found] == [f"{deb.TOOL}_{VERSION}_all.deb"]
    return found[0]


def field(archive: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "--field", archive, name], capture_output=True, text=True, check=True).stdout.strip()


def relations(archive: Path, name: str) -> set[str]:
    return set(field(archive, name).split(", "))


@pytest.fixture
def root(made: Path) -> Iterator[Chroot]:
    """A minimal Debian with what the package depends on and suggests; it lies in /root/deb_dist, not installed."""
    wanted = sorted(relations(made, "Depends") | relations(made, "Suggests"))
    with chroot.unpacked(chroot.Recipe("minbase", relations=", ".join(wanted))) as root:
        root.at("/root/deb_dist").mkdir()
        shutil.copy(made, root.at("/root/deb_dist"))
        yield root


def succeed(root: Chroot, command: str) -> str:
    """What a shell's command prints, without a network, that must succeed."""
    done = root.run("sh", "-ec", f"cd /root; {command}", network=False, HOME="/root")
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


def version(root: Chroot) -> str:
    return succeed(root, f"dpkg-query --show --showformat='${{Version}}' {deb.TOOL}")


def test_what_stdeb_is_told_agrees_with_debian_control(made: Path, built: Built) -> None:
    ours = built.debs[deb.TOOL]
    for name in FIELDS:
        assert field(made, name) == field(ours, name)
    for name in ("Depends", "Suggests"):
        assert relations(made, name) == relations(ours, name)
    subprocess.run(["dpkg", "--compare-versions", field(made, "Version"), "lt", field(ours, "Version")], check=True)


def test_it_has_the_files_of_the_package(made: Path, built: Built) -> None:
    def files(archive: Path) -> set[tuple[str, str]]:
        done = subprocess.run(["dpkg-deb", "--contents", archive], capture_output=True, text=True, check=True)
        lines = (line.split() for line in done.stdout.splitlines())
        return {(words[0], words[5]) for words in lines if not re.match(r"\./usr/share/(doc|man|lintian)/", words[5])}

    assert files(made) ^ files(built.debs[deb.TOOL]) == set()


def test_it_works_where_only_debian_is(root: Chroot, made: Path) -> None:
    with Walk(PAGE, {"new-debian": functools.partial(succeed, root)}, only=["new-debian"]) as page:
        page.to_the_end()
    site = source.version(load.load_file(load.LAB), changelog.Release(VERSION, 0))
    debs = sorted(path.name for path in root.at("/root/repo").glob("pool/**/*.deb"))
    assert debs == sorted([made.name, *(f"{name}_{site}_all.deb" for name in PACKAGES)])
    node = next(root.at("/root/repo").glob("pool/**/nfsha-node_*"))
    assert f"{deb.TOOL} (>= {VERSION})" in relations(node, "Depends")
    assert succeed(root, "nfsha --version").split() == ["nfsha", VERSION.partition("~")[0]]
    assert "good; cluster ocfs2" in succeed(root, "nfsha check site.toml")
    golden = TOP / "tests" / "golden" / "lab" / "nfs1" / "etc" / "keepalived" / "keepalived.conf"
    assert golden.read_text(encoding="utf-8") in succeed(root, "nfsha render nfs1")


def test_the_repositorys_package_is_its_upgrade(root: Chroot, built: Built) -> None:
    succeed(root, "dpkg --install deb_dist/*.deb")
    assert version(root) == VERSION
    # In /srv: apt's own user has to read it.
    shutil.copytree(built.repository, root.at("/srv/nfsha"))
    sources = root.at("/srv/nfsha/nfsha.sources").read_text(encoding="utf-8").replace(PLACEHOLDER, "file:/srv/nfsha/")
    root.at("/etc/apt/sources.list").write_text("", encoding="utf-8")
    root.at("/etc/apt/sources.list.d/nfsha.sources").write_text(sources, encoding="utf-8")
    succeed(root, "apt-get update --error-on=any && apt-get upgrade --yes")
    assert version(root) == changelog.release().version
    assert succeed(root, f"dpkg --verify {deb.TOOL}") == ""
    assert "==> /etc/keepalived/keepalived.conf" in succeed(root, "nfsha render nfs1")
    assert not root.at(f"/usr/share/doc/{deb.TOOL}/changelog.Debian.gz").exists()
