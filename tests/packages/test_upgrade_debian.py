"""Machines with nfsha are upgraded by apt from Debian 12 to 13: nothing is asked, nothing goes, and nfsha works on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.build import debian, preseed
from nfsha_config.site import load
from nfsha_lab import upgrade
from nfsha_lab.folders import Folders
from tests.packages import chroot
from tests.packages.conftest import Built, in_chroot, served

pytestmark = [pytest.mark.slow, pytest.mark.long]
SITE = load.load_file(load.LAB)
RELEASE = "trixie"
_SECONDS = 3600.0
"""For one run of apt: it unpacks a kernel, and depmod reads all its modules."""
# What the package wrote; a target writes nothing before it has seen its disk.
_SUM = "test ! -s /var/lib/nfsha/{package}.files || sha256sum --check --quiet /var/lib/nfsha/{package}.files"


@pytest.fixture
def bookworm(built: Built, request: pytest.FixtureRequest) -> Iterator[tuple[chroot.Chroot, tuple[str, ...]]]:
    """A Debian 12 with these packages of nfsha, set up; a node has a kernel, too."""
    packages = request.param
    kernel = [debian.KERNELS["amd64"]] if "nfsha-node" in packages else []
    recipe = chroot.Recipe("minbase", (*kernel, "openssh-server", "systemd-sysv", "whiptail"), release="bookworm")
    with chroot.unpacked(recipe) as root, served(built.repository) as uri:
        in_chroot(root, built.repository, uri)
        for host in ("nfs1",) if "nfsha-node" in packages else ("target", "client"):
            good(root, "debconf-set-selections", stdin=preseed.text(host, SITE, built.secrets))
        good(root, "apt-get update && apt-get install --yes --no-install-recommends " + " ".join(packages))
        yield root, packages


def good(root: chroot.Chroot, command: str, stdin: str = "") -> str:
    done = root.run("sh", "-ec", f"hostname nfs1\n{command}", stdin=stdin, timeout=_SECONDS, INITRD="No")
    assert done.returncode == 0, done.stdout
    return done.stdout


def offer(root: chroot.Chroot) -> None:
    """An archive of what this machine fetches, for its only source besides nfsha's."""
    status = root.at("/var/lib/dpkg/status").read_text(encoding="utf-8")
    archive = upgrade.find_or_fetch(Folders.of_environment(), RELEASE, status)
    shutil.copytree(archive, root.at("/srv/debian"))
    good(root, "cat >/etc/apt/sources.list", stdin=upgrade.source("file:/srv/debian", RELEASE))


@pytest.mark.parametrize(
    "bookworm", [("nfsha-node",), ("nfsha-iscsi-target", "nfsha-client")], indirect=True, ids=["node", "target and client"]
)
def test_the_next_release_comes_in_place(bookworm: tuple[chroot.Chroot, tuple[str, ...]]) -> None:
    root, packages = bookworm
    before = {path.name for path in root.at("/lib/modules").glob("*")}
    check_nfsha(root, packages, "cpython-311")
    offer(root)
    good(root, "apt-get update && apt-get upgrade --without-new-pkgs --yes && apt-get full-upgrade --yes")
    assert 'VERSION_ID="13"' in good(root, "cat /etc/os-release")
    assert good(root, "dpkg --audit") == ""
    assert good(root, "find /etc -name '*.dpkg-*' -o -name '*.ucf-*'") == ""
    assert "\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded" in good(root, "apt-get full-upgrade --simulate")
    kernels = {path.parents[3].name for path in root.at("/lib/modules").glob("*/kernel/fs/ocfs2/ocfs2.ko*")}
    assert before <= kernels and len(kernels) == 2 * len(before)
    check_nfsha(root, packages, "cpython-313")
    good(root, "apt-get autoremove --yes")
    check_nfsha(root, packages, "cpython-313")


def check_nfsha(root: chroot.Chroot, packages: tuple[str, ...], python: str) -> None:
    """It is installed, its files are what it wrote, and its program runs and is compiled for this Python."""
    for package in packages:
        assert good(root, f"dpkg-query --show --showformat '${{db:Status-Abbrev}}' {package}").strip() == "ii"
        good(root, _SUM.format(package=package))
        assert good(root, f"nfsha plan {package}") in ("", "/etc/default/o2cb\n")
    modules = [Path(word) for word in good(root, "dpkg --listfiles python3-nfsha-config").split() if word.endswith(".py")]
    compiled = {path.name.split(".")[1] for path in root.at(str(modules[0].parent)).glob("__pycache__/*.pyc")}
    assert modules and python in compiled
