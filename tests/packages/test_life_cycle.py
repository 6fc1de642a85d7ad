"""A package's life under the real dpkg: each step of it twice, each way in which it can fail, and death in the middle."""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from nfsha_config.build import preseed
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from nfsha_config.site.secrets import Secrets
from nfsha_lab.repack import SCRIPTS, repack
from tests.packages.conftest import TOOL, Built
from tests.packages.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.long]
SITE = load.load_file(load.LAB)
CHAP = Secrets("node-secret-0123456789", "target-secret-0123456789")
TARGET, NODE, CLIENT = PACKAGES
HOSTS = {TARGET: "target", NODE: "nfs1", CLIENT: "client"}
each_package = pytest.mark.parametrize("package", PACKAGES)

OURS = ("/etc/nfsha", "/var/lib/nfsha")
PLACES = (
    *OURS, "/etc/keepalived", "/etc/ocfs2", "/etc/exports.d", "/etc/nfs.conf.d", "/etc/default", "/etc/systemd/system",
    "/etc/tgt", "/var/lib/systemd/deb-systemd-helper-enabled",
)  # fmt: skip
CALLS = "/var/log/maintainer-scripts"
# Each call of a script is written down and then made twice: a script must bear to be run again (Policy 6.2).
_TWICE = f"""
if [ -z "${{TWICE:-}}${{DEBIAN_HAS_FRONTEND:-}}" ]; then
    echo "${{DPKG_MAINTSCRIPT_NAME:-?}} $*" >>{CALLS}
    TWICE=yes "$0" "$@"
fi
"""
_LEFT = re.compile(r"\.(ucf|dpkg)-(new|old|dist|tmp)$|/\.[^/]+\.[\w]{8}$")


@pytest.fixture
def machine(built: Built, tmp_path: Path) -> Iterator[Machine]:
    """nfs1, with the tool."""
    with Machine(tmp_path / "machine") as one:
        one.install(built.debs[TOOL])
        yield one


@pytest.fixture
def twice(built: Built, tmp_path: Path) -> dict[str, Path]:
    """The packages with scripts that run twice."""
    return {package: repack(built.debs[package], tmp_path, scripts=dict.fromkeys(SCRIPTS, _TWICE)) for package in PACKAGES}


def answer(machine: Machine, package: str) -> None:
    """Give the answers of an installation."""
    text = preseed.text(HOSTS[package], SITE, CHAP, format_lun=package == NODE)
    machine.run("debconf-set-selections", stdin=text)


def dpkg(machine: Machine, *words: str | Path, fails: bool = False) -> str:
    """dpkg without an answer to any prompt: its question for a conffile would be an error."""
    said = machine.run("sh", "-c", 'dpkg --force-depends "$@"; echo "dpkg ended with $?"', "sh", *words)
    assert ("dpkg ended with 0\n" not in said) is fails, said
    assert "Traceback" not in said, said
    return said


def state(machine: Machine, package: str) -> dict[str, str]:
    """What dpkg thinks of the package, and all that lies where it writes: mode, owner and checksum."""
    places = machine.run("sh", "-c", 'for place; do [ ! -e "$place" ] || echo "$place"; done', "sh", *PLACES).split()
    files = {path: " ".join([*line.split()[1:3], *line.split()[4:]]) for path, line in machine.files(*places).items()}
    left = [path for path in files if _LEFT.search(path)]
    assert not left, f"left behind: {left}"
    status = machine.run("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}", package, check=False)
    return {**files, "dpkg": status.strip()}


def assert_same(now: Mapping[str, str], before: Mapping[str, str], when: object = "") -> None:
    """That no file and no state is another one; what is of several lines is compared line by line."""
    texts = [
        [f"{place}: {line}" for place, text in sorted(one.items()) for line in text.splitlines()] for one in (before, now)
    ]
    other = list(difflib.unified_diff(*texts, "before", "now", lineterm="", n=0))
    assert not other, "\n".join([str(when), *other])


def remembered(machine: Machine, package: str) -> str:
    """What debconf remembers, but for the words that a question is shown with: one that is not asked again has none."""
    lines = machine.asked(package).splitlines()
    return "\n".join(line for line in lines if not line.startswith((" ", "Variables:")))


def calls(machine: Machine) -> list[str]:
    """The maintainer scripts that dpkg has called since the last look, with their first arguments."""
    lines = machine.read(CALLS).splitlines()
    machine.run("rm", "-f", CALLS)
    return [" ".join(line.split()[:3 if "in-favour" in line else 2]) for line in lines]


@each_package
def test_each_step_twice(package: str, machine: Machine, twice: Mapping[str, Path], tmp_path: Path) -> None:
    first = twice[package]
    second = repack(first, tmp_path, more="+second")
    answer(machine, package)
    machine.install(first)
    assert calls(machine) == ["preinst install", "postinst configure"]
    whole = state(machine, package)
    assert whole["dpkg"] == "ii" and "/etc/nfsha/site.toml" in whole
    # Installed again; upgraded, and again; back, and again.
    for deb in (first, second, second, first, first):
        dpkg(machine, "--install", deb)
        assert_same(state(machine, package), whole)
        assert calls(machine) == ["prerm upgrade", "preinst upgrade", "postrm upgrade", "postinst configure"]
    dpkg(machine, "--remove", package)
    removed = state(machine, package)
    assert calls(machine) == ["prerm remove", "postrm remove"]
    dpkg(machine, "--remove", package)
    assert_same(state(machine, package), removed)
    assert removed["dpkg"] == "rc"
    own = {path for path in whole if path.startswith("/etc/nfsha/") and path != "/etc/nfsha/gate.nft"}
    assert {path for path in removed if path.startswith("/etc")} >= own
    # Without answers: they lie in /etc/nfsha.
    dpkg(machine, "--install", first)
    assert_same(state(machine, package), whole)
    for _ in range(2):
        dpkg(machine, "--purge", package)
        gone = state(machine, package)
        assert not [path for path in gone if path.startswith(OURS)]
    assert machine.asked(package) == ""
    # And from the beginning.
    answer(machine, package)
    machine.install(first)
    assert_same(state(machine, package), whole)


def test_a_revision_comes_and_goes(machine: Machine, built: Built, second: Path) -> None:
    """Up and down, each twice, with an edit of the admin's, which stays."""
    answer(machine, NODE)
    machine.install(built.debs[NODE])
    machine.run("sed", "-i", "s/^router_id = 101/router_id = 77/", "/etc/nfsha/site.toml")
    machine.run("dpkg-reconfigure", NODE)
    whole = {**state(machine, NODE), "debconf": remembered(machine, NODE)}
    for _ in range(2):
        dpkg(machine, "--install", second)
    lines = machine.read("/etc/nfsha/site.toml").splitlines()
    assert {"revision = 2", "nfs_lease = 25", "router_id = 77"} <= set(lines)
    for _ in range(2):
        dpkg(machine, "--install", built.debs[NODE])
        assert_same({**state(machine, NODE), "debconf": remembered(machine, NODE)}, whole)


def broken(deb: Path, folder: Path, script: str, argument: str) -> Path:
    """The package, newer, with a script that fails for one argument."""
    return repack(deb, folder, more=f"+{script}", scripts={script: f'[ "$1" != {argument} ] || exit 1'})


@each_package
def test_what_fails_is_undone(package: str, machine: Machine, twice: Mapping[str, Path], tmp_path: Path) -> None:
    """Policy 6.6 and 6.7: every call that dpkg makes when something fails, and the state is the one before."""
    first = twice[package]
    answer(machine, package)
    # The first installation fails before anything is unpacked.
    dpkg(machine, "--install", broken(first, tmp_path, "preinst", "install"), fails=True)
    assert calls(machine) == ["postrm abort-install"]
    machine.install(first)
    whole = state(machine, package)
    calls(machine)
    # So does an upgrade; the one after a removal; and one whose files are another package's.
    dpkg(machine, "--install", broken(first, tmp_path, "preinst", "upgrade"), fails=True)
    assert calls(machine) == ["prerm upgrade", "postrm abort-upgrade", "postinst abort-upgrade"]
    assert_same(state(machine, package), whole)
    dpkg(machine, "--install", _stealing(package, tmp_path), fails=True)
    assert_same(state(machine, package), whole)
    calls(machine)
    # The old scripts fail; the new ones are asked, and it goes on.
    for script in ("prerm", "postrm"):
        dpkg(machine, "--install", broken(first, tmp_path, script, "upgrade"))
        calls(machine)
        newer = repack(first, tmp_path, more=f"+{script}+1")
        assert "trying script from the new package instead" in dpkg(machine, "--install", newer)
        assert f"{script} failed-upgrade" in calls(machine)
        assert_same(state(machine, package), whole)
        dpkg(machine, "--install", first)
        calls(machine)
    # A removal fails.
    dpkg(machine, "--install", broken(first, tmp_path, "prerm", "remove"))
    calls(machine)
    dpkg(machine, "--remove", package, fails=True)
    assert calls(machine) == ["postinst abort-remove"]
    # dpkg goes on wishing it away.
    assert_same(state(machine, package), {**whole, "dpkg": "ri"})


def _stealing(package: str, folder: Path) -> Path:
    """A package with a file that is another one's already."""
    path = f"usr/share/doc/{package}/copyright"
    return small("thief", folder, files={path: "mine\n"})


def small(name: str, folder: Path, *, fields: str = "", files: Mapping[str, str] | None = None, preinst: str = "") -> Path:
    """A package with no more than that."""
    tree = folder / f"tree of {name}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@packages.invalid>\n"
        f"{fields}Description: {name}\n",
        encoding="utf-8",
    )
    for path, text in (files or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text, encoding="utf-8")
    if preinst:
        (tree / "DEBIAN" / "preinst").write_text(f"#!/bin/sh\n{preinst}\n", encoding="utf-8")
        (tree / "DEBIAN" / "preinst").chmod(0o755)
    made = folder / f"{name}.deb"
    build = ["dpkg-deb", "--root-owner-group", "--build", tree, made]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return made


@each_package
def test_another_package_takes_its_place(package: str, machine: Machine, twice: Mapping[str, Path], tmp_path: Path) -> None:
    """Removed in favour of one that conflicts with it, and whose own script fails first."""
    answer(machine, package)
    machine.install(twice[package])
    whole = state(machine, package)
    calls(machine)
    rival = f"Conflicts: {package}\nReplaces: {package}\n"
    dpkg(machine, "--install", small("failing", tmp_path, fields=rival, preinst="exit 1"), fails=True)
    assert calls(machine) == ["prerm remove in-favour", "postinst abort-remove in-favour"]
    assert_same(state(machine, package), whole)
    dpkg(machine, "--install", small("rival", tmp_path, fields=rival))
    assert calls(machine) == ["prerm remove in-favour", "postrm remove"]


@each_package
def test_another_package_pushes_it_aside(package: str, machine: Machine, twice: Mapping[str, Path], tmp_path: Path) -> None:
    """Deconfigured in favour of one that conflicts with what it needs; and gone when another one has all its files."""
    needs = repack(twice[package], tmp_path, more="+needs", fields={"Depends": "needed"})
    answer(machine, package)
    machine.install(small("needed", tmp_path), needs)
    whole = state(machine, package)
    calls(machine)
    rival = "Conflicts: needed\nReplaces: needed\n"
    failing = small("failing", tmp_path, fields=rival, preinst="exit 1")
    machine.run("dpkg", "--auto-deconfigure", "--install", failing, check=False)
    assert calls(machine) == ["prerm deconfigure in-favour", "postinst abort-deconfigure in-favour"]
    assert_same(state(machine, package), whole)
    machine.run("dpkg", "--auto-deconfigure", "--install", small("rival", tmp_path, fields=rival), check=False)
    assert calls(machine) == ["prerm deconfigure in-favour"]
    assert_same(state(machine, package), {**whole, "dpkg": "iF"})
    dpkg(machine, "--configure", "--pending")
    assert_same(state(machine, package), whole)
    listed = machine.run("dpkg-query", "--listfiles", package).splitlines()
    owned = machine.run("sh", "-c", 'for one; do [ -d "$one" ] || echo "$one"; done', "sh", *listed).split()
    heir = small("heir", tmp_path, fields=f"Replaces: {package}\n", files={path.lstrip("/"): "" for path in owned})
    calls(machine)
    dpkg(machine, "--install", heir)
    assert "postrm disappear" in calls(machine)
    assert machine.read("/etc/nfsha/site.toml") != ""


# What nfsha does that another program could see: it renames a file into its place, or starts a program. At the given one
# of these, all that dpkg runs is killed, as when the power goes.
_LEFT_TO_LIVE = "/usr/share/left"
_DIE = f"""
import os, signal, sys

if sys.argv[1:2] == ["configure"]:
    left = int(open("{_LEFT_TO_LIVE}").read())

    def hook(event, arguments):
        global left
        if event in ("os.rename", "subprocess.Popen"):
            left -= 1
            if left == 0:
                os.kill(-1, signal.SIGKILL)
                # That leaves out who sends it.
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
"""
# site.py imports it whenever Python starts.
_HOOK = "/usr/lib/python3/dist-packages/die"
_DONE = "nothing was killed\n"
_CONFIGURE = f"dpkg --force-depends --configure --pending && echo {_DONE.strip()}; :"


@each_package
def test_death_at_each_step_of_the_configuration(package: str, machine: Machine, built: Built) -> None:
    machine.run("sh", "-c", f"cat >{_HOOK}.py && echo import die >{_HOOK}.pth", stdin=_DIE)
    deb = built.debs[package]
    assert _DONE in _configure(machine, package, deb, 0)
    whole = {**state(machine, package), "debconf": remembered(machine, package)}
    deaths = 0
    while _DONE not in _configure(machine, package, deb, deaths + 1):
        deaths += 1
        assert machine.run("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}", package).strip() == "iF"
        machine.run("sh", "-c", f"echo 0 >{_LEFT_TO_LIVE}")
        said = dpkg(machine, "--configure", "--pending")
        assert "not set up" not in said, (deaths, said)
        assert_same({**state(machine, package), "debconf": remembered(machine, package)}, whole, deaths)
    # The target has the fewest files.
    assert deaths >= 5


def _configure(machine: Machine, package: str, deb: Path, steps: int) -> str:
    """From nothing to the given step of the configuration, where it dies; with 0 it lives."""
    machine.run("dpkg", "--purge", package, check=False)
    answer(machine, package)
    machine.run("sh", "-c", f'echo {steps} >{_LEFT_TO_LIVE}; dpkg --force-depends --unpack "$1"', "sh", deb)
    return machine.run("unshare", "--pid", "--fork", "sh", "-c", _CONFIGURE)
