"""The packages as lintian, a second build and apt see them."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from nfsha_config.build import key, repository, source
from nfsha_config.build.changelog import release
from nfsha_config.build.sources import PLACEHOLDER
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from tests.packages.apt import Apt
from tests.packages.conftest import LINTIAN, Built, flip_last_bit

pytestmark = pytest.mark.slow
SITE = load.load_file(load.LAB)


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, timeout=300)


def test_the_repository_has_the_four_packages(built: Built) -> None:
    assert sorted(built.debs) == ["nfsha-client", "nfsha-iscsi-target", "nfsha-node", "python3-nfsha-config"]
    tool = release()
    for name, deb in built.debs.items():
        version = source.version(SITE, tool) if name in PACKAGES else tool.version
        assert run("dpkg-deb", "--field", deb, "Version").stdout.strip() == version


def test_lintian_has_nothing_to_say(built: Built) -> None:
    changes = sorted(built.again.glob("*/*.changes"))
    assert len(changes) == 4
    done = run("lintian", *LINTIAN, *built.debs.values(), *changes)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_same_input_gives_the_same_bytes(built: Built) -> None:
    def sums(folder: Path, pattern: str) -> dict[str, str]:
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern)}

    assert sums(built.repository, "pool/**/*.deb") == sums(built.again, "*/*.deb")


def test_the_indices_depend_on_the_packages_alone(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A path as long as one may have: that of gpg-agent's socket must not be so (unix(7)).
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / ("data" * 20)))
    with key.open_key("other") as other:
        again = tuple(built.again.glob("*/*.deb"))
        repository.make(tmp_path / "repository", tmp_path / "work", again, SITE.cluster.name, other)
    indices = sorted(path.relative_to(built.repository) for path in built.repository.rglob("Packages*"))
    assert indices
    for index in indices:
        assert (built.repository / index).read_bytes() == (tmp_path / "repository" / index).read_bytes()


def test_shellcheck_has_nothing_to_say(built: Built, tmp_path: Path) -> None:
    for name, deb in built.debs.items():
        run("dpkg-deb", "--control", deb, tmp_path / name)
    names = ("config", "preinst", "postinst", "prerm", "postrm")
    scripts = [path for package in PACKAGES for path in (tmp_path / package).iterdir() if path.name in names]
    assert scripts
    # SC1091: debconf's library is not there to be read. SC2119: a call that debhelper wrote.
    done = run("shellcheck", "--shell=dash", "--exclude=SC1091,SC2119", *scripts)
    assert done.stdout == ""


def test_site_packages_own_nothing_outside_of_usr(built: Built) -> None:
    for name in PACKAGES:
        names = [line.split()[-1] for line in run("dpkg-deb", "--contents", built.debs[name]).stdout.splitlines()]
        outside = [path for path in names if not path.startswith("./usr/") and path != "./"]
        assert not outside


def test_the_laboratory_is_not_in_the_tool(built: Built) -> None:
    listing = run("dpkg-deb", "--contents", built.debs["python3-nfsha-config"]).stdout
    assert "nfsha_lab" not in listing and "/tests/" not in listing
    assert "/usr/lib/python3/dist-packages/nfsha_config/site/lab.toml" in listing
    assert "/usr/share/nfsha/packages/nfsha-node/etc/keepalived/keepalived.conf.j2" in listing


def test_templates_are_fit_for_debconf_and_translators(built: Built, tmp_path: Path) -> None:
    for name in PACKAGES:
        run("dpkg-deb", "--control", built.debs[name], tmp_path / name)
        templates = (tmp_path / name / "templates").read_text(encoding="utf-8")
        for stanza in templates.strip().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if re.match(r"[A-Z]\S*: ", line))
            assert fields["Template"].startswith(f"{name}/")
            assert len(fields["Description"]) <= 75
            if fields["Type"] in ("string", "password", "select") and "internal use" not in fields["Description"]:
                assert fields["Description"].endswith(":")
            if fields["Type"] == "password":
                assert "Default" not in fields
        assert "nfsha-node/format" not in templates or "Default: false" in templates


@pytest.fixture
def apt(built: Built, tmp_path: Path) -> Apt:
    """An apt that knows a copy of the repository by its nfsha.sources."""
    copy = tmp_path / "repository"
    run("cp", "-r", built.repository, copy)
    # _apt must be able to read what it verifies.
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == copy.owner() and str(parent) not in ("/", "/tmp"):
            parent.chmod(0o755)
    sources = (copy / "nfsha.sources").read_text(encoding="utf-8").replace(PLACEHOLDER, f"file://{copy}/")
    return Apt.make(tmp_path / "apt", sources)


def test_apt_takes_the_repository_with_the_key_in_the_sources(apt: Apt) -> None:
    done = apt.update()
    assert (done.returncode, done.stderr) == (0, "")
    assert apt.candidate("nfsha-node") == source.version(SITE, release())
    got = apt.run("apt-get", "download", "nfsha-node")
    assert got.returncode == 0, got.stderr


def test_apt_refuses_a_package_that_was_tampered_with(apt: Apt, tmp_path: Path) -> None:
    done = apt.update()
    assert done.returncode == 0, done.stderr
    flip_last_bit(next((tmp_path / "repository").glob("pool/**/nfsha-node_*.deb")))
    got = apt.run("apt-get", "download", "nfsha-node")
    assert got.returncode != 0
    assert "Hash Sum mismatch" in got.stderr


def test_apt_refuses_a_repository_without_a_signature(apt: Apt, tmp_path: Path) -> None:
    dists = tmp_path / "repository" / "dists" / "nfsha"
    (dists / "InRelease").unlink()
    (dists / "Release.gpg").unlink()
    done = apt.update()
    assert done.returncode != 0
    assert "is not signed" in done.stderr


@pytest.mark.parametrize("name", ["InRelease", "main/binary-amd64/Packages.gz"])
def test_apt_refuses_a_repository_that_was_tampered_with(apt: Apt, tmp_path: Path, name: str) -> None:
    dists = tmp_path / "repository" / "dists" / "nfsha"
    (dists / "Release").unlink()
    (dists / "Release.gpg").unlink()
    (dists / "main/binary-amd64/Packages").unlink()
    place = dists / name
    if name == "InRelease":
        place.write_bytes(place.read_bytes().replace(b"Label: nfsha", b"Label: other"))
    else:
        flip_last_bit(place)
    done = apt.update()
    assert done.returncode != 0
    assert "signature" in done.stderr or "Hash Sum" in done.stderr or "unexpected size" in done.stderr


def test_the_published_folder_holds_only_what_apt_needs(built: Built) -> None:
    assert sorted(path.name for path in built.repository.iterdir()) == ["dists", "nfsha.sources", "pool"]
