"""docker/: the repository is built in a container and served from one, by a real engine, to a real apt."""

from __future__ import annotations

import os
import re
import tarfile
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.build import source
from nfsha_config.build.changelog import release
from nfsha_config.problems import CommandFailed
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from tests.containers import Containers, containers
from tests.engine import Engine
from tests.packages.apt import Apt
from tests.pages import Walk

pytestmark = [pytest.mark.slow, pytest.mark.long]
LAB = load.LAB.read_text(encoding="utf-8")
KEYRING = "/var/lib/nfsha-key/nfsha/keyring"


def site(name: str, revision: int) -> str:
    """The laboratory's site under another name and revision."""
    text = LAB.replace('name = "ocfs2"', f'name = "{name}"').replace("revision = 1", f"revision = {revision}")
    assert text != LAB
    return text


def version(text: str) -> str:
    return source.version(load.load(text, "test"), release())


def sources(served: Containers) -> str:
    return served.fetch("nfsha.sources").decode()


def everything(served: Containers, folder: str = "") -> Iterator[str]:
    """The paths of all files that the server lists."""
    for name in re.findall(r'<a href="([^"]+)">', served.fetch(folder).decode()):
        if name == "../":
            continue
        if name.endswith("/"):
            yield from everything(served, folder + name)
        else:
            yield folder + name


@pytest.fixture(scope="module")
def served(engine: Engine) -> Iterator[Containers]:
    """The containers, brought up with the built-in site."""
    with containers(engine) as made:
        assert made.up() == 0, made.log()
        yield made


@pytest.fixture
def apt(served: Containers, tmp_path: Path) -> Apt:
    """A machine's apt that was given the nfsha.sources that the server has."""
    return Apt.make(tmp_path / "apt", sources(served))


def test_apt_takes_the_packages_that_the_container_serves(served: Containers, apt: Apt) -> None:
    assert f"URIs: {served.uri}\n" in sources(served)
    done = apt.update()
    assert (done.returncode, done.stderr) == (0, "")
    got = apt.run("apt-get", "download", *PACKAGES)
    assert got.returncode == 0, got.stderr
    assert {path.name.partition("_")[0] for path in apt.folder.glob("*.deb")} == set(PACKAGES)
    assert {apt.candidate(name) for name in PACKAGES} == {version(LAB)}


def test_apt_takes_nothing_without_the_key(served: Containers, apt: Apt) -> None:
    apt.source(sources(served).partition("Signed-By:")[0])
    done = apt.update()
    assert done.returncode != 0
    assert "NO_PUBKEY" in done.stderr


def test_the_secret_key_stays_with_the_builder(served: Containers, engine: Engine) -> None:
    assert served.compose("run", "--rm", "-T", "builder", "stat", "--format=%a %U", KEYRING).split() == ["700", "nfsha"]
    secret = served.compose("run", "--rm", "-T", "builder", "ls", f"{KEYRING}/private-keys-v1.d").split()
    assert len(secret) == 1
    assert served.inspect("server", "{{range .Mounts}}{{.Destination}} {{.RW}} {{end}}") == "/srv/nfsha false"
    image = served.inspect("builder", "{{.Image}}")
    kept = engine.run("docker", "run", "--rm", "--network=none", image, "find", "/var/lib/nfsha-key", "-mindepth", "1")
    assert kept == ""
    paths = list(everything(served))
    assert len([path for path in paths if path.endswith(".deb")]) == len(PACKAGES) + 1
    assert {path.partition("/")[0] for path in paths} == {"dists", "pool", "nfsha.sources"}
    for path in paths:
        assert secret[0] not in path
        assert b"PRIVATE KEY" not in served.fetch(path)


def test_nobody_is_root(served: Containers) -> None:
    assert served.inspect("builder", "{{.Config.User}}") == "nfsha"
    assert served.inspect("server", "{{.Config.User}}") == "www-data"


@pytest.mark.parametrize("path", ["dists/nfsha/InRelease", "dists/nfsha/main/binary-amd64/Packages.gz", "nfsha.sources"])
def test_a_proxy_keeps_no_index(served: Containers, path: str) -> None:
    with served.open(path) as response:
        assert response.headers["Cache-Control"] == "no-store"


def test_a_bad_site_leaves_the_old_repository(served: Containers, apt: Apt, tmp_path: Path) -> None:
    before = served.fetch("dists/nfsha/InRelease")
    bad = tmp_path / "site.toml"
    bad.write_text(LAB.replace('name = "ocfs2"', 'name = "o c"').replace('"192.168.50.12"', '"one.two"'), encoding="utf-8")
    assert served.up(site=bad) == 1
    log = served.log()
    assert '/site.toml: cluster.name = "o c": ' in log
    assert '"one.two": ' in log
    assert "Traceback" not in log
    assert served.fetch("dists/nfsha/InRelease") == before
    assert apt.update().returncode == 0


def test_a_site_that_is_not_there_is_an_error(served: Containers, tmp_path: Path) -> None:
    missing = tmp_path / "site.toml"
    with pytest.raises(CommandFailed, match=f"does not exist: {missing}"):
        served.up(site=missing)
    assert not missing.exists()
    assert sources(served)


def test_a_mounted_site_is_built_and_its_next_revision_is_seen_by_apt(served: Containers, tmp_path: Path) -> None:
    mounted, new, elsewhere = tmp_path / "site.toml", tmp_path / "new.toml", f"http://localhost:{served.port}/"
    mounted.write_text(site("other", 5), encoding="utf-8")
    assert served.up(site=mounted, NFSHA_URI=elsewhere) == 0, served.log()
    assert f"URIs: {elsewhere}\n" in sources(served)
    apt = Apt.make(tmp_path / "apt", sources(served))
    done = apt.update()
    assert (done.returncode, done.stderr) == (0, "")
    assert apt.candidate("nfsha-node") == version(site("other", 5))
    assert b"nfsha for the cluster other\n" in served.fetch("dists/nfsha/InRelease")

    # As an editor saves it: another file of the same name.
    new.write_text(site("other", 6), encoding="utf-8")
    os.replace(new, mounted)
    server = served.inspect("server", "{{.Id}} {{.State.StartedAt}}")
    assert served.up(site=mounted, NFSHA_URI=elsewhere) == 0, served.log()
    # The old sources still hold: the key is the same.
    done = apt.update()
    assert (done.returncode, done.stderr) == (0, "")
    assert apt.candidate("nfsha-node") == version(site("other", 6))
    assert apt.run("apt-get", "download", "nfsha-node").returncode == 0
    assert served.inspect("server", "{{.Id}} {{.State.StartedAt}}") == server
    with pytest.raises(urllib.error.HTTPError, match="404"):
        served.fetch(f"pool/main/n/nfsha-node/nfsha-node_{version(site('other', 5))}_all.deb")


def test_the_page(served: Containers, tmp_path: Path) -> None:
    """From the first start to a site of one's own, its next revision, and a key that comes back from its copy."""
    mounted = tmp_path / "site.toml"
    exported: list[str] = []

    def typed(command: str) -> str:
        if command.startswith("export "):
            exported.append(command)
        # It is where the line is typed.
        return "" if command == "cd docker" else served.type("\n".join([*exported, command]), tmp_path)

    with Walk("docs/howto/docker.md", {"docker": typed}, {"/srv/site.toml": str(mounted)}, only=["docker"]) as page:
        page.step("docker")
        mounted.write_text(site("paged", 5), encoding="utf-8")
        page.step("docker")
        assert int(served.engine.run("docker", "wait", served.name("builder"), timeout=600)) == 0
        # Each site has a key of its own.
        apt = Apt.make(tmp_path / "apt", sources(served))
        assert apt.update().returncode == 0
        assert apt.candidate("nfsha-node") == version(site("paged", 5))
        page.step("docker")
        mounted.write_text(site("paged", 6), encoding="utf-8")
        page.step("docker")
        assert apt.update().returncode == 0
        assert apt.candidate("nfsha-node") == version(site("paged", 6))
        page.step("docker")
    copy = tmp_path / "nfsha-key.tar"
    assert copy.stat().st_mode & 0o077 == 0
    with tarfile.open(copy) as kept:
        assert any("private-keys-v1.d/" in name for name in kept.getnames())
    done = apt.update()
    assert (done.returncode, done.stderr) == (0, "")
