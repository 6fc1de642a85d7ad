"""What lies in debian/ for Debian's own tools: in the order they want, and right by their own judgement."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nfsha_config.build import changelog, deb, source
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from tests.packages.conftest import LINTIAN, TOOL, Built

pytestmark = pytest.mark.slow
TOP = Path(__file__).parents[2]
LICENSED = {"LICENSE", "debian/copyright", "packages/common/debian/copyright", "setup.cfg"}
"""The files that state the licence, besides the translators' own; all others are covered by them and state none."""


def run(*argv: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


@pytest.fixture(params=[TOOL, *PACKAGES])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The tree of a source package, not built."""
    folder = tmp_path / "tree"
    if request.param == TOOL:
        return deb.tool_tree(folder)
    text = load.LAB.read_text(encoding="utf-8")
    source.write(source.files(request.param, load.load(text, "lab"), text, changelog.release()), folder)
    return folder


def test_control_files_are_wrapped_and_sorted(tree: Path) -> None:
    done = run("wrap-and-sort", "--short-indent", "--trailing-comma", "--wrap-always", "--dry-run", "--verbose", cwd=tree)
    assert done.returncode == 0 and "No file needs modification" in done.stdout, done.stdout


def test_the_copyright_is_as_its_format_wants_it(tree: Path) -> None:
    done = run("cme", "check", "dpkg-copyright", "-strict", cwd=tree)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("package", PACKAGES)
def test_the_texts_for_translators_are_up_to_date(built: Built, tmp_path: Path, package: str) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(built.again / package / "tree" / "debian", tree / "debian")
    before = (tree / "debian/po/templates.pot").read_bytes()
    done = run("debconf-updatepo", "--msgid-bugs-address=nfsha@packages.invalid", cwd=tree)
    assert (done.returncode, done.stdout) == (0, "")
    assert (tree / "debian/po/templates.pot").read_bytes() == before
    # Its date is the changelog's: a build at another time gives the same source package.
    made = datetime.fromtimestamp(changelog.release().epoch, UTC)
    assert f'"POT-Creation-Date: {made:%F %R}+0000\\n"' in before.decode()


@pytest.mark.long
def test_no_file_states_another_licence_or_copyright() -> None:
    names = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=TOP, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip("\0").split("\0")  # fmt: skip
    # What is rendered from packages/ states what packages/ states; licensecheck passes over the second, and takes a path
    # in the third for an owner.
    left_out = ("tests/golden/", ".gitignore", "nfsha_lab/guest/etc/dpkg/")
    files = [name for name in names if (TOP / name).is_file() and not name.startswith(left_out)]
    looked_at = [name for name in files if (TOP / name).stat().st_size]
    done = run("licensecheck", "--check=.", "--machine", "--copyright", "--shortname-scheme=debian", *looked_at, cwd=TOP)
    found = {name: (licence, owner) for name, licence, owner in (line.split("\t") for line in done.stdout.splitlines())}
    stating = {name: what for name, what in found.items() if what != ("UNKNOWN", "*No copyright*")}
    assert len(found) == len(looked_at)
    assert set(stating) == LICENSED | {name for name in names if name.endswith(".po")}
    for licence, owner in stating.values():
        assert licence in ("Expat", "MIT") and owner in ("2026 nfsha developers", "*No copyright*"), stating


def test_uscan_finds_a_release_where_one_is_published(tmp_path: Path) -> None:
    version = changelog.release().version
    tree, place = tmp_path / "tree", tmp_path / "served" / "nfsha"
    shutil.copytree(TOP / "debian", tree / "debian")
    place.mkdir(parents=True)
    for number in (version, "999.1"):
        (place / f"nfsha_{number}.tar.xz").touch()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        watch = (TOP / "debian/watch").read_text(encoding="utf-8")
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        (tree / "debian/watch").write_text(watch.replace("https://packages.invalid/", address), encoding="utf-8")
        done = run("uscan", "--no-download", "--dehs", cwd=tree)
        server.shutdown()
    assert done.returncode == 0, done.stdout
    assert f"<debian-uversion>{version}</debian-uversion>" in done.stdout
    assert "<upstream-version>999.1</upstream-version>" in done.stdout
    assert "<warnings>" not in done.stdout and "<errors>" not in done.stdout


def test_uscan_reads_the_watch_file_as_it_is() -> None:
    done = run("uscan", "--no-download", "--verbose", cwd=TOP)
    # Its address is that of nobody, and all but that works.
    assert "https://packages.invalid/nfsha/ failed: 500" in done.stdout, done.stdout
    assert done.stdout.count("uscan warn") == 1 and "uscan die" not in done.stdout, done.stdout


def test_lintian_is_run_with_the_same_options_everywhere() -> None:
    text = (TOP / "debian/salsa-ci.yml").read_text(encoding="utf-8")
    wanted = [option for option in LINTIAN if not option.startswith(("--allow-root", "--fail-on"))]
    assert f"SALSA_CI_LINTIAN_ARGS: {' '.join(wanted)}\n" in text
    assert f"lintian {' '.join(LINTIAN)}" in (TOP / "scripts/lint").read_text(encoding="utf-8")
