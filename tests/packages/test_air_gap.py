"""A repository with all that the packages need of Debian, and machines that have nothing else."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from nfsha_config import paths
from nfsha_config.build import apt, build, changelog, closure, deb, debian, key, preseed, source
from nfsha_config.build.sources import PLACEHOLDER
from nfsha_config.problems import NfshaError
from nfsha_config.render import PACKAGES
from nfsha_config.site import load, secrets
from tests.buildhost import BuildHost
from tests.packages.chroot import AS_ROOT, Chroot, Recipe, unpacked
from tests.packages.conftest import Built
from tests.pages import Walk

pytestmark = [pytest.mark.slow, pytest.mark.long]
RELEASE = "bookworm"
SITE = load.load_file(load.LAB)
HOSTS = dict(zip(PACKAGES, ("target", SITE.nodes[0].name, "client"), strict=True))
INSIDE = "/srv/repository"
NOT_IN_DEBIAN = {"finalrd"}
"""What open-iscsi recommends, and Debian 12 has not got."""
PAGE = "docs/howto/air-gap.md"


def of(mirror: str | None = None, **options: object) -> debian.Debian:
    return debian.of(RELEASE, mirror or os.environ.get("NFSHA_LAB_MIRROR"), architecture="amd64", **options)  # type: ignore[arg-type]


def cache() -> Path:
    """Where the tests' builds keep Debian's packages: with the user's, so that they are fetched once."""
    return paths.of_user("XDG_CACHE_HOME", ".cache") / "nfsha" / f"{RELEASE}-amd64"


@pytest.fixture(scope="session")
def repository(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The laboratory's repository, with dependencies."""
    return with_dependencies(built, tmp_path_factory.mktemp("air-gap") / "repository", revision=1)


def with_dependencies(built: Built, out: Path, revision: int) -> Path:
    text = load.LAB.read_text(encoding="utf-8")
    assert "\nrevision = 1\n" in text
    text = text.replace("\nrevision = 1\n", f"\nrevision = {revision}\n")
    build.build(build.Order(text, "lab", out, tool_deb=built.debs[deb.TOOL], debian=of()))
    return out


def carry_in(root: Chroot, repository: Path) -> None:
    """Bring a repository into a chroot, in the place of an earlier one, as on a disk."""
    place = root.at(INSIDE)
    subprocess.run([*AS_ROOT, "rm", "--recursive", "--force", place], check=True)
    subprocess.run([*AS_ROOT, "cp", "--recursive", "--reflink=auto", repository, place], check=True)
    good(root, "apt-get", "update", "--error-on=any")


def good(root: Chroot, *argv: str, stdin: str = "", **env: str) -> str:
    done = root.run(*argv, network=False, stdin=stdin, **env)
    assert done.returncode == 0, done.stdout
    return done.stdout


@contextmanager
def machine(repository: Path) -> Iterator[Chroot]:
    """A minimal Debian without a network, that has the repository for its only source."""
    with unpacked(Recipe("minbase")) as root:
        sources = (repository / build.SOURCES).read_text(encoding="utf-8").replace(PLACEHOLDER, f"file:{INSIDE}/")
        write = f"rm -rf /etc/apt/sources.list* && mkdir /etc/apt/sources.list.d && cat >/etc/apt/sources.list.d/{build.SOURCES}"
        good(root, "sh", "-c", write, stdin=sources)
        carry_in(root, repository)
        uris = good(root, "apt-get", "indextargets", "--format", "$(REPO_URI)").split()
        assert set(uris) == {f"file:{INSIDE}/"}
        yield root


def install(root: Chroot, package: str) -> None:
    good(root, "debconf-set-selections", stdin=preseed.text(HOSTS[package], SITE, secrets.make()))
    # What is recommended is to be had as well; to install it all would take minutes, and show no more.
    said = good(root, "apt-get", "install", "--simulate", package)
    lacking = re.search(r"^Recommended packages:\n((?: .*\n)+)", said, re.MULTILINE)
    assert set(lacking[1].split() if lacking else ()) <= NOT_IN_DEBIAN
    # A machine of a cluster gets no compiler, with what is recommended either.
    assert not re.search(r"^Inst (build-essential|debhelper|g\+\+|gcc|make)\b", said, re.MULTILINE)
    # Nothing here boots, and to make an initrd takes longer than all else (kernel hooks of initramfs-tools: INITRD).
    good(root, "apt-get", "install", "--yes", "--no-install-recommends", package, INITRD="No")


def healthy(root: Chroot) -> None:
    assert good(root, "dpkg", "--audit") == ""
    good(root, "apt-get", "check")
    # All that the machine had before is in the repository too, and as new.
    assert "0 to remove and 0 not upgraded" in good(root, "apt-get", "dist-upgrade", "--simulate")


def is_set_up(root: Chroot, package: str) -> None:
    assert good(root, "dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}", package).strip() == "ii"
    assert root.at("/etc/nfsha/secrets" if package != "nfsha-client" else "/etc/nfsha/site.toml").exists()


@pytest.mark.parametrize("package", [package for package in PACKAGES if package != "nfsha-node"])
def test_a_machine_with_no_other_source_installs_from_it(repository: Path, package: str) -> None:
    with machine(repository) as root:
        install(root, package)
        healthy(root)
        is_set_up(root, package)


def test_the_page(tmp_path: Path) -> None:
    """From the build host's command to a node that has seen nothing but the folder."""
    host = BuildHost(tmp_path)
    host.write_site(load.LAB.read_text(encoding="utf-8"))
    with unpacked(Recipe("minbase")) as root:
        settings = 'APT { Get::Assume-Yes "true"; Install-Recommends "false"; };\n'
        good(root, "sh", "-c", "cat >/etc/apt/apt.conf.d/zz-reader", stdin=settings)
        good(root, "sh", "-c", "cat >/root/nfs1.preseed", stdin=preseed.text("nfs1", SITE, secrets.make()))

        def typed(command: str) -> str:
            said = good(root, "sh", "-ec", f"hostname nfs1; cd /root; exec 2>&1; {command}", INITRD="No")
            assert "not set up" not in said, said[-3000:]
            return said

        with Walk(PAGE, {"build-host": host.run, "gap": typed}) as page:
            page.step("build-host", "build-host")
            subprocess.run([*AS_ROOT, "mkdir", "--parents", root.at("/media/disk")], check=True)
            subprocess.run([*AS_ROOT, "cp", "--recursive", tmp_path / "repo", root.at("/media/disk")], check=True)
            page.to_the_end()
        assert set(good(root, "apt-get", "indextargets", "--format", "$(REPO_URI)").split()) == {"file:/srv/nfsha/"}
        healthy(root)
        is_set_up(root, "nfsha-node")
        assert list(root.at("/lib/modules").glob("*/kernel/fs/ocfs2/ocfs2.ko*"))


def test_a_newer_repository_upgrades_such_a_machine(repository: Path, built: Built, tmp_path: Path) -> None:
    with machine(repository) as root:
        install(root, "nfsha-client")
        carry_in(root, with_dependencies(built, tmp_path / "newer", revision=2))
        good(root, "apt-get", "upgrade", "--yes")
        healthy(root)
        version = good(root, "dpkg-query", "--show", "--showformat", "${Version}", "nfsha-client")
        assert version == f"{changelog.release().version}+site2"
    assert source.version(SITE, changelog.release()) != version


def test_each_package_of_debian_is_as_debian_signed_it(repository: Path) -> None:
    """Not by the build's own account: what apt says of the signed indices, against the bytes in the repository."""
    shown = subprocess.run(
        ["apt-cache", "show", "?true"], env={**os.environ, "APT_CONFIG": str(cache() / "apt.conf")},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    signed = {line.split()[1] for line in shown.splitlines() if line.startswith("SHA256: ")}
    packages = (repository / "dists/nfsha/main/binary-amd64/Packages").read_text(encoding="utf-8")
    stanzas = [dict(line.split(": ", 1) for line in one.splitlines() if ": " in line) for one in packages.split("\n\n")]
    foreign = {one["Package"] for one in stanzas if one and one["SHA256"] not in signed}
    assert foreign == {*PACKAGES, deb.TOOL}
    assert len(stanzas) > 200


class Mirror(BaseHTTPRequestHandler):
    """Debian's mirror, but for the files that somebody changed, by how their paths end, and for a release's name."""

    def __init__(self, upstream: str, changed: Mapping[str, bytes], known_as: str, *args: object) -> None:
        self.upstream, self.changed, self.known_as = upstream.rstrip("/"), changed, known_as
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        content = next((self.changed[end] for end in self.changed if unquote(self.path).endswith(end)), None)
        self.send_response(302 if content is None else 200)
        if content is None:
            self.send_header("Location", self.upstream + self.path.replace(f"/dists/{self.known_as}", f"/dists/{RELEASE}"))
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def mirror(
    upstream: str | None = None, changed: Mapping[str, bytes] | None = None, known_as: str = RELEASE
) -> Iterator[str]:
    handler = functools.partial(Mirror, upstream or of().mirror, changed or {}, known_as)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def refused(tmp_path: Path, *options: str | Path, release: str = RELEASE, before: tuple[str, ...] = ()) -> str:
    """The one line with which a build ends; it leaves no repository."""
    out = tmp_path / "repository"
    command = [*before, sys.executable, "-m", "nfsha_config", "build", "--out", out, "--with-dependencies", release, *options]
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1, done.stderr
    assert not out.exists()
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("nfsha: reading what Debian")]
    return line


@contextmanager
def stranger(tmp_path: Path) -> Iterator[key.Key]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path / "stranger"))
        with key.open_key("a stranger") as other:
            yield other


def test_a_mirror_out_of_reach_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "--mirror", "http://127.0.0.1:9/debian")
    assert "bookworm: the mirror can't be reached" in said and "127.0.0.1:9" in said


def test_an_unknown_release_is_refused(tmp_path: Path) -> None:
    assert "Debian nosuch: the mirror has not got it" in refused(tmp_path, release="nosuch")


def test_a_component_and_an_architecture_that_the_mirror_lacks_are_refused(tmp_path: Path) -> None:
    assert "no bookworm with nosuch for amd64" in refused(tmp_path, "--architecture", "amd64", "--components", "nosuch")
    assert "for riscv64" in refused(tmp_path, "--architecture", "riscv64")


def test_a_keyring_without_debians_keys_is_refused(tmp_path: Path) -> None:
    keyring = tmp_path / "strangers.gpg"
    with stranger(tmp_path) as other:
        keyring.write_text(other.public, encoding="utf-8")
    assert f"is not signed by {keyring}" in refused(tmp_path, "--keyring", keyring)


def test_a_mirror_that_another_key_signed_is_refused(repository: Path, tmp_path: Path) -> None:
    [path] = (cache() / "state/lists").glob(f"*_dists_{RELEASE}_InRelease")
    with stranger(tmp_path) as other:
        gpg = ["gpg", "--homedir", other.home, "--batch", "--quiet"]
        text = subprocess.run([*gpg, "--decrypt", path], capture_output=True, check=False).stdout
        assert b"\nCodename: bookworm\n" in text
        signed = subprocess.run([*gpg, "--clear-sign"], input=text, capture_output=True, check=True).stdout
    with mirror(changed={f"/dists/{RELEASE}/InRelease": signed}) as uri:
        assert f"is not signed by {debian.KEYRING}" in refused(tmp_path, "--mirror", uri)


def test_a_mirror_that_gives_another_release_is_refused(tmp_path: Path) -> None:
    with mirror(known_as="sarge") as uri, mirror(of().security_mirror, known_as="sarge") as security:
        said = refused(tmp_path, "--mirror", uri, "--security-mirror", security, release="sarge")
    assert "Debian sarge: the mirror has no sarge with main" in said


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    small = 'mkdir -p "$XDG_CACHE_HOME" && mount -t tmpfs -o size=12m none "$XDG_CACHE_HOME" && exec "$@"'
    said = refused(tmp_path, before=(*AS_ROOT, "unshare", "--mount", "sh", "-ec", small, "sh"))
    assert "Debian's indices need 200 MB, and 13 MB are free" in said


@pytest.fixture
def own_cache(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, with the packages that the build fetched."""
    archives = tmp_path / "cache" / "nfsha" / cache().name / "cache" / "archives"
    archives.mkdir(parents=True)
    for path in (cache() / "cache" / "archives").glob("*.deb"):
        try:
            os.link(path, archives / path.name)
        except OSError:
            shutil.copy2(path, archives / path.name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return archives


def spoilt(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def test_a_package_that_the_mirror_changed_is_refused(own_cache: Path, built: Built) -> None:
    [package] = own_cache.glob("keepalived_*.deb")
    content = spoilt(package.read_bytes())
    package.unlink()
    changed = package.name.partition("_")[2].replace("%3a", ":").partition(":")[2]
    with (
        mirror(changed={f"/keepalived_{changed}": content}) as uri,
        apt.opened(of(uri)) as opened,
        pytest.raises(NfshaError, match=r"the mirror sent other bytes than Debian signed.*keepalived"),
    ):
        closure.fetch(opened, built.debs.values())
    assert not package.exists()


def test_a_package_that_was_changed_in_the_cache_is_fetched_again(own_cache: Path, built: Built) -> None:
    [package] = own_cache.glob("keepalived_*.deb")
    content = package.read_bytes()
    package.unlink()
    package.write_bytes(spoilt(content))
    with apt.opened(of()) as opened:
        assert package in closure.fetch(opened, built.debs.values())
    assert package.read_bytes() == content
