"""The repository of the laboratory's site, really built, and a debconf of the tests' own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from nfsha_config.build import build, changelog, deb, preseed, serve, source
from nfsha_config.build.sources import PLACEHOLDER
from nfsha_config.render import PACKAGES
from nfsha_config.site import load, secrets
from nfsha_config.site.secrets import Secrets
from tests.packages.chroot import Chroot

TOOL = deb.TOOL
NEEDED = ("dpkg-buildpackage", "dh", "debconf-updatepo", "reprepro", "gpg", "lintian", "apt-get")
LINTIAN = ("--allow-root", "--pedantic", "--display-info", "--fail-on=error,warning,info,pedantic")
"""The options that lintian is run with; an override says why."""


@dataclass(frozen=True)
class Built:
    """A repository, and the same packages built a second time with their .changes beside them."""

    repository: Path
    again: Path
    home: Path
    log: Path
    secrets: Secrets

    @property
    def debs(self) -> dict[str, Path]:
        """The .debs of the repository by their package's name."""
        return {path.name.partition("_")[0]: path for path in sorted(self.repository.glob("pool/**/*.deb"))}


@pytest.fixture(scope="session")
def release(request: pytest.FixtureRequest) -> str:
    """The Debian release of the chroots, --release."""
    return str(request.config.getoption("--release"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        pytest.skip(f"programs of a build host are missing: {', '.join(missing)}")
    top = tmp_path_factory.mktemp("build")
    text = load.LAB.read_text(encoding="utf-8")
    # As on a build host, where the site's secrets and the answers with them lie beside the site.
    home, chap = top / "home of-the-builder", secrets.make()
    (home / "tmp").mkdir(parents=True)
    (home / "site.toml").write_text(text, encoding="utf-8")
    secrets.write_new(home / "secrets", chap)
    preseed.write(home / "nfs1.preseed", preseed.text("nfs1", load.load(text, "lab"), chap, format_lun=True))
    built = Built(top / "repository", top / "somewhere" / "else", home, top / "log", chap)
    with open(built.log, "wb") as log:
        subprocess.run(
            [sys.executable, "-m", "nfsha_config", "--verbose", "build", "--site", "site.toml", "--out", built.repository],
            cwd=home, stdout=log, stderr=log, check=True,
            env={
                **os.environ, "HOME": str(home), "TMPDIR": str(home / "tmp"), "XDG_DATA_HOME": str(home / "data"),
                "PYTHONPATH": str(changelog.CHECKOUT),
            },
        )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        # Another folder, umask and locale: none of them may show in the packages.
        patch.setenv("LC_ALL", "C")
        before = os.umask(0o077)
        try:
            _build_again(text, built.again)
        finally:
            os.umask(before)
    return built


def _build_again(text: str, folder: Path) -> None:
    site, tool = load.load(text, "lab"), changelog.release()
    trees = [deb.tool_tree(folder / deb.TOOL / "tree")]
    for package in PACKAGES:
        trees.append(folder / package / "tree")
        source.write(source.files(package, site, text, tool), trees[-1])
    deb.build_all(trees, tool)


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as an earlier version of the tool built it, for a site with one other value."""
    top = tmp_path_factory.mktemp("earlier")
    tree = deb.tool_tree(top / "tree")
    now = changelog.release().version
    for name, old, new in (
        ("nfsha_config/__init__.py", f'"{now}"', '"0.0.1"'),
        ("debian/changelog", f"({now})", "(0.0.1)"),
        ("nfsha_config/site/lab.toml", 'mount_point = "/data"', 'mount_point = "/mnt/data"'),
    ):
        text = (tree / name).read_text(encoding="utf-8")
        assert old in text, name
        (tree / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "nfsha_config", "build", "--out", top / "repository"],
        cwd=tree, env={**os.environ, "XDG_DATA_HOME": str(top / "data"), "PYTHONPATH": str(tree)}, check=True,
    )  # fmt: skip
    return top / "repository"


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nfsha-node of the site's second revision, with another lease."""
    lab = load.LAB.read_text(encoding="utf-8")
    text = lab.replace("revision = 1", "revision = 2") + "\n[timings]\nnfs_lease = 25\n"
    tree, tool = tmp_path_factory.mktemp("second") / "tree", changelog.release()
    source.write(source.files("nfsha-node", load.load(text, "second"), text, tool), tree)
    return deb.build(tree, tool)[0]


@contextmanager
def served(repository: Path) -> Iterator[str]:
    """The address of a repository while it is served by HTTP."""
    with serve.server(repository, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def in_chroot(root: Chroot, repository: Path, uri: str) -> None:
    """Tell a chroot's apt of a repository, by its nfsha.sources."""
    sources = (repository / build.SOURCES).read_text(encoding="utf-8").replace(PLACEHOLDER, uri)
    root.run("sh", "-c", f"cat >/etc/apt/sources.list.d/{build.SOURCES}", stdin=sources)


def flip_last_bit(path: Path) -> None:
    """What whoever tampers with a package changes at the least."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


class Debconf:
    """A package's maintainer scripts with a database, a root and stand-ins for programs, all in one folder."""

    def __init__(self, package: str, archive: Path, folder: Path) -> None:
        self.package = package
        self.folder = folder
        self.root = folder / "root"
        self.control = folder / "control"
        for name in ("root/etc/nfsha", "root/var/lib/nfsha", "bin"):
            (folder / name).mkdir(parents=True)
        subprocess.run(["dpkg-deb", "--control", archive, self.control], check=True)
        for script in ("config", "postinst", "postrm", "prerm", "templates"):
            text = (self.control / script).read_text(encoding="utf-8")
            text = re.sub(r"/(etc/exports\.d|etc/nfsha|var/lib/nfsha)", rf"{self.root}/\1", text)
            place = self.control / f"{package}.{script}"
            place.write_text(text, encoding="utf-8")
            place.chmod(0o755)
        (folder / "debconf.conf").write_text(
            "Config: config\nTemplates: templates\n\n"
            f"Name: config\nDriver: File\nMode: 0600\nFilename: {folder}/config.dat\n\n"
            f"Name: templates\nDriver: File\nMode: 0600\nFilename: {folder}/templates.dat\n",
            encoding="utf-8",
        )
        self.program("hostname", "echo nfs1")
        self.program("nfsha", f'echo "$@" >{folder}/called; cat >{folder}/answers; exit ${{NFSHA_EXIT:-0}}')
        for name in ("systemctl", "deb-systemd-helper", "deb-systemd-invoke", "systemd-tmpfiles", "ucf", "ucfr"):
            self.program(name, f'echo "{name} $*" >>{folder}/systemd')

    def program(self, name: str, body: str) -> None:
        """Put a stand-in for a program into PATH."""
        place = self.folder / "bin" / name
        place.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        place.chmod(0o755)

    def run(self, *argv: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program with this debconf."""
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, check=False, timeout=60,
            env={
                "PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                "DEBCONF_SYSTEMRC": f"{self.folder}/debconf.conf", "DEBCONF_NOWARNINGS": "yes", "LC_ALL": "C.UTF-8",
                **env,
            },
        )  # fmt: skip

    def preseed(self, lines: str) -> None:
        """Give answers before the installation."""
        done = self.run("debconf-set-selections", stdin=lines)
        assert done.returncode == 0, done.stderr

    def preconfigure(self, *arguments: str) -> None:
        """What apt does before it unpacks."""
        load = "Debconf::Db->load; Debconf::Template->load(@ARGV); Debconf::Db->save"
        templates = str(self.control / f"{self.package}.templates")
        done = self.run("perl", "-MDebconf::Db", "-MDebconf::Template", "-e", load, templates, self.package)
        assert done.returncode == 0, done.stderr
        done = self.run(
            "debconf", f"--owner={self.package}", str(self.control / f"{self.package}.config"), *arguments
        )
        assert done.returncode == 0, done.stderr

    def script(self, name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a maintainer script as dpkg does."""
        return self.run(str(self.control / f"{self.package}.{name}"), *arguments, **env)

    def value(self, question: str) -> str:
        """What the database holds for a question of the package."""
        done = self.run("debconf-show", self.package)
        for line in done.stdout.splitlines():
            name, _, value = line.lstrip("* ").partition(": ")
            if name.rstrip(":") == f"{self.package}/{question}":
                return value
        return ""

    @property
    def answers(self) -> dict[str, str]:
        """What the postinst handed to nfsha."""
        lines = (self.folder / "answers").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def file(self, path: str, text: str) -> None:
        """Write a file below the root."""
        (self.root / path).write_text(text, encoding="utf-8")


@pytest.fixture
def debconf(built: Built, tmp_path: Path, request: pytest.FixtureRequest) -> Debconf:
    """The scripts of nfsha-node, or of the package that the test names."""
    package = getattr(request, "param", "nfsha-node")
    return Debconf(package, built.debs[package], tmp_path / "debconf")
