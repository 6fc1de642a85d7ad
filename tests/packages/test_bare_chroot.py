"""A bare machine with nfsha.sources and no more: packages come by name, with all that they need, and are set up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import pytest

from nfsha_config.build import preseed
from nfsha_config.site import load
from tests.packages import chroot
from tests.packages.conftest import Built, flip_last_bit, in_chroot, served

pytestmark = [pytest.mark.slow, pytest.mark.long]
SITE = load.load_file(load.LAB)
INSTALL = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends")


UPDATE = ("apt-get", "update", "--quiet", "--error-on=any")


@contextmanager
def reads(repository: Path, release: str) -> Iterator[chroot.Chroot]:
    """A minimal Debian whose apt has read the repository as it is served, without a warning."""
    with chroot.unpacked(chroot.Recipe(release=release)) as root, served(repository) as uri:
        in_chroot(root, repository, uri)
        done = root.run(*UPDATE)
        assert done.returncode == 0 and "\nW:" not in done.stdout and "\nN:" not in done.stdout, done.stdout
        yield root


@pytest.fixture
def bare(built: Built, release: str) -> Iterator[chroot.Chroot]:
    with reads(built.repository, release) as root:
        yield root


def give_answers(root: chroot.Chroot, built: Built, host: str) -> None:
    text = preseed.text(host, SITE, built.secrets, format_lun=host == "nfs1")
    done = root.run("debconf-set-selections", stdin=text)
    assert done.returncode == 0, done.stdout


def check_secrets(root: chroot.Chroot, built: Built, *outputs: str) -> None:
    """They lie where they must, open to root alone, and in no output or log."""
    words = (built.secrets.node, built.secrets.target)
    found = root.run("grep", "-rlF", "-e", words[0], "-e", words[1], "/etc", "/usr", "/var", "/root", "/tmp", "/run").stdout
    assert "/etc/nfsha/secrets" in found.split()
    for path in found.split():
        facts = root.run("stat", "--format=%a %U", path).stdout.split()
        assert facts == ["600", "root"], (path, facts)
    assert not [path for path in found.split() if path.startswith("/var/log/")]
    assert not [word for word in words for output in outputs if word in output]


def test_a_node_comes_without_answers_and_is_set_up_when_they_are_given(bare: chroot.Chroot, built: Built) -> None:
    came = bare.run(*INSTALL, "nfsha-node", timeout=1200)
    assert came.returncode == 0, came.stdout[-4000:]
    assert "is installed, but not set up, for the reason above. Then run: dpkg-reconfigure nfsha-node" in came.stdout
    assert "Traceback" not in came.stdout
    give_answers(bare, built, "nfs1")
    done = bare.run("sh", "-c", "hostname nfs1 && exec dpkg-reconfigure nfsha-node")
    assert done.returncode == 0 and "not set up" not in done.stdout, done.stdout
    assert bare.at("/etc/keepalived/keepalived.conf").is_file()
    assert bare.at("/etc/systemd/system/srv-nfs4-data.mount").is_file()
    check_secrets(bare, built, came.stdout, done.stdout)
    gone = bare.run("apt-get", "purge", "--yes", "--quiet", "nfsha-node")
    assert gone.returncode == 0, gone.stdout
    assert not bare.at("/etc/nfsha").exists() and not bare.at("/etc/keepalived/keepalived.conf").exists()


def test_target_and_client_come_with_their_answers(bare: chroot.Chroot, built: Built) -> None:
    give_answers(bare, built, "target")
    came = bare.run(*INSTALL, "nfsha-iscsi-target", "nfsha-client", timeout=1200)
    assert came.returncode == 0 and "not set up" not in came.stdout, came.stdout[-4000:]
    assert bare.at("/etc/systemd/system/data.automount").is_file()
    check_secrets(bare, built, came.stdout)
    gone = bare.run("apt-get", "remove", "--yes", "--quiet", "nfsha-iscsi-target", "nfsha-client")
    assert gone.returncode == 0, gone.stdout
    assert not bare.at("/etc/systemd/system/data.automount").exists()


def test_what_was_tampered_with_is_refused(built: Built, release: str, tmp_path: Path) -> None:
    """A package with one changed bit does not come, and then neither does a release file with one changed word."""
    repository = copytree(built.repository, tmp_path / "repository")
    package = next(repository.glob("pool/**/nfsha-client_*.deb"))
    signed = repository / "dists" / "nfsha" / "InRelease"
    with reads(repository, release) as root:
        flip_last_bit(package)
        came = root.run(*INSTALL, "nfsha-client")
        assert came.returncode != 0 and "Hash Sum mismatch" in came.stdout, came.stdout
        assert root.run("dpkg-query", "--show", "nfsha-client").returncode != 0
        flip_last_bit(package)
        good = signed.read_bytes()
        signed.write_bytes(good.replace(b"Label: nfsha", b"Label: other"))
        assert signed.read_bytes() != good
        read = root.run(*UPDATE)
        assert read.returncode != 0 and "signature" in read.stdout, read.stdout
        signed.write_bytes(good)
        assert root.run(*UPDATE).returncode == 0
        assert root.run(*INSTALL, "nfsha-client").returncode == 0
