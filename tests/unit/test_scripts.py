"""The programs under scripts/ agree on what they install, and refuse what they don't know."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from nfsha_config.build import build
from nfsha_config.problems import NfshaError
from nfsha_lab import requirements
from nfsha_lab.image import RELEASES
from nfsha_lab.lab import RELEASE

TOP = Path(__file__).parents[2]
BUILD_NEEDS = (TOP / "scripts" / "build-needs").read_text(encoding="utf-8").split()


def script(name: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **variables}
    return subprocess.run([TOP / "scripts" / name, *words], capture_output=True, text=True, check=False, env=env)


def test_the_laboratory_installs_what_a_build_needs() -> None:
    assert set(BUILD_NEEDS) <= set(requirements.PACKAGES)


def test_a_build_host_is_told_of_each_build_dependency() -> None:
    control = (TOP / "debian" / "control").read_text(encoding="utf-8")
    build_depends = control.partition("Build-Depends:\n")[2].partition("\nStandards-Version")[0]
    names = {line.split()[0].rstrip(",") for line in build_depends.splitlines()}
    # The two virtual ones are debhelper's and dh-python's.
    assert names - {"debhelper-compat", "dh-sequence-python3"} <= set(BUILD_NEEDS)
    assert {"debhelper", "dh-python", "build-essential"} <= set(BUILD_NEEDS)


def test_a_build_names_each_package_that_is_missing_and_the_tool_suggests_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suggests, since a machine of a cluster has the tool as well, and apt installs by itself what is recommended."""
    control = (TOP / "debian" / "control").read_text(encoding="utf-8")
    assert "Recommends:" not in control
    suggested = re.findall(r"^ (\S+),$", control.partition("\nSuggests:\n")[2].partition("\nDescription:")[0], re.MULTILINE)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(Path, "is_file", lambda _: False)
    with pytest.raises(NfshaError) as raised:
        build.look_for_programs()
    # apt is on every Debian, and the keys are for --with-dependencies alone, which asks for them (debian.of).
    named = str(raised.value).removeprefix("packages are missing for a build (apt install ").removesuffix(")").split()
    assert set(named) - {"apt"} == set(suggested) - {"debian-archive-keyring"}
    assert named == sorted(named)


@pytest.fixture
def fake_dpkg(tmp_path: Path) -> str:
    """A PATH on which the package `here` alone is installed, and apt-get prints how it was called."""
    for name, text in {
        "dpkg-query": 'case "$*" in *" here") printf installed ;; *" removed") printf config-files ;; *) exit 1 ;; esac',
        "apt-get": 'echo "apt-get $*"',
        "id": "echo 0",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


def test_need_installs_what_is_missing_and_says_so(fake_dpkg: str) -> None:
    done = script("need", "here", "removed", "never", PATH=fake_dpkg)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "need: installing by apt-get: removed never",
        "apt-get update --quiet",
        "apt-get install --yes --quiet --no-install-recommends removed never",
    ]


def test_need_is_silent_where_nothing_is_missing(fake_dpkg: str) -> None:
    done = script("need", "here", PATH=fake_dpkg)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("name", "words"), [("test", ["units"]), ("lint", ["--fast"])])
def test_an_unknown_word_is_refused_before_anything_is_done(name: str, words: list[str]) -> None:
    done = script(name, *words, PATH="/usr/bin:/bin")
    assert done.returncode == 2
    assert "unit" in done.stderr + done.stdout or "--no-packages" in done.stderr + done.stdout


def test_ci_runs_the_readmes_test_command() -> None:
    run = (TOP / ".ci" / "run").read_text(encoding="utf-8")
    assert run.rstrip().endswith('exec scripts/test "$@"')
    assert "\nscripts/test\n" in (TOP / "README.md").read_text(encoding="utf-8")


def test_each_release_can_be_named_and_the_one_after_the_usual_is_tried() -> None:
    told = script("test", "--help").stdout
    assert told.rstrip().endswith(f"in all stories: {', '.join(list(RELEASES)[:-1])} or {list(RELEASES)[-1]}.")
    text = (TOP / "scripts" / "test").read_text(encoding="utf-8")
    after = list(RELEASES)[list(RELEASES).index(RELEASE) + 1]
    assert f"run tests/cluster/test_smoke.py --release {after} " in text
    assert (TOP / "tests" / "cluster" / "test_smoke.py").exists()
