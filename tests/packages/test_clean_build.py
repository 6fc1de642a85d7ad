"""The four source packages in a bare chroot with their Build-Depends alone, and once more where all else is different."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nfsha_config.build import changelog, source
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from tests.packages import chroot, contents
from tests.packages.conftest import LINTIAN

pytestmark = [pytest.mark.slow, pytest.mark.long]
TOP = Path(__file__).parents[2]
TOOL = "nfsha"

# Builds each tree of the folder at the same time. What dpkg-buildpackage leaves after a clean must be what it packed:
# then it builds twice in a row.
BUILD = r"""
cd "$1"
umask "$2"

for tree in */tree; do
    (
        cd "$tree"
        dpkg-buildpackage -us -uc
        debian/rules clean
        dpkg-source --extract ../*.dsc ../extracted
        # dpkg-source(1) leaves out what is the version control's.
        diff --recursive --exclude=.gitignore . ../extracted
    ) >"${tree%/tree}/log" 2>&1 || touch "${tree%/tree}/failed" &
done
wait
for failed in */failed; do
    [ ! -e "$failed" ] || cat "${failed%/failed}/log"
done
"""


@dataclass(frozen=True)
class Way:
    """What a build must not depend on. Offset is of the clock, for faketime(1)."""

    folder: str
    user: int
    umask: str
    environment: dict[str, str]
    offset: str = ""


PLAIN = Way("/build", 1000, "022", {"LC_ALL": "C.UTF-8", "TZ": "UTC"})
MARK = f"mark{secrets.token_hex(6)}"
"""The name of the other build's folder, user and host: nothing else has it."""
# Estonian sorts z before t.
OTHER = Way(
    f"/srv/{MARK}/path of-build/deep", 4321, "077",
    {
        "LC_ALL": "et_EE.UTF-8", "LANGUAGE": "et_EE:fr", "TZ": "Xyz-14", "USER": MARK, "LOGNAME": MARK,
        "HOME": f"/home/{MARK}", "DEB_BUILD_OPTIONS": "parallel=7",
    },
    "+400d",
)  # fmt: skip


def checkout() -> list[str]:
    """The files of this checkout that are, or could be, of the source package."""
    listing = ["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\0")
    return [name for name in names if name and (TOP / name).is_file()]


def trees(folder: Path) -> dict[str, Path]:
    """The trees of the source packages, each in a folder of its own."""
    text = load.LAB.read_text(encoding="utf-8")
    site, tool = load.load(text, "lab"), changelog.release()
    for name in checkout():
        place = folder / TOOL / "tree" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, place)
    for package in PACKAGES:
        source.write(source.files(package, site, text, tool), folder / package / "tree")
    return {name: folder / name for name in (TOOL, *PACKAGES)}


def relations(tree: Path) -> str:
    """The Build-Depends of a tree on one line."""
    lines = (tree / "tree" / "debian" / "control").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Build-Depends:"))
    rest = [line for line in lines[start + 1 :] if not line.startswith("#")]
    more = rest[: next(number for number, line in enumerate(rest) if not line.startswith(" "))]
    return " ".join(" ".join([lines[start].partition(":")[2], *more]).split()).rstrip(",")


def build(recipe: chroot.Recipe, wanted: list[Path], way: Way, out: Path) -> None:
    """Build trees in a chroot without network; what is made is moved to out."""
    with chroot.unpacked(recipe) as root:
        place = root.at(way.folder)
        for tree in wanted:
            shutil.copytree(tree, place / tree.name)
        root.run("chown", "--recursive", f"{way.user}:{way.user}", way.folder)
        prepare = f"echo {MARK} >/etc/hostname && hostname {MARK} && mkdir /home/{MARK}"
        argv = ["setpriv", f"--reuid={way.user}", f"--regid={way.user}", "--clear-groups"]
        if way.offset:
            prepare += " && localedef --inputfile=et_EE --charmap=UTF-8 et_EE.UTF-8"
            argv += ["faketime", "-f", way.offset]
        argv += ["sh", "-eu", "-c", BUILD, "sh", way.folder, way.umask]
        done = root.run(
            "sh", "-eu", "-c", f'{prepare} && exec "$@"', "sh", *argv, network=False, timeout=1200, **way.environment
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stdout[-8000:]
        root.run("chmod", "--recursive", "a+rX", way.folder)
        shutil.copytree(place, out, dirs_exist_ok=True, ignore=lambda _, names: [n for n in names if n in ("tree", "extracted")])


@dataclass(frozen=True)
class Builds:
    """The folders of both builds, with a folder for each source package in them."""

    plain: Path
    other: Path

    def made(self, which: Path) -> list[Path]:
        """What must be the same: .buildinfo tells of the build, and .changes has its sum."""
        return sorted(path for path in which.rglob("*") if path.name.endswith((".deb", ".dsc", ".tar.xz")))


@pytest.fixture(scope="module")
def builds(release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    folder = tmp_path_factory.mktemp("clean")
    made = trees(folder / "trees")
    tool, site = relations(made[TOOL]), relations(made[PACKAGES[0]])
    done = Builds(folder / "plain", folder / "other")
    build(chroot.Recipe("buildd", (), tool, release), [made[TOOL]], PLAIN, done.plain)
    build(chroot.Recipe("buildd", (), site, release), [made[name] for name in PACKAGES], PLAIN, done.plain)
    more = chroot.Recipe("buildd", ("faketime", "locales"), f"{tool}, {site}", release)
    build(more, list(made.values()), OTHER, done.other)
    yield done


def test_each_package_builds_with_its_build_depends_alone(builds: Builds) -> None:
    for which in (builds.plain, builds.other):
        kinds = [path.suffix for path in builds.made(which)]
        assert (kinds.count(".deb"), kinds.count(".dsc"), kinds.count(".xz")) == (4, 4, 4)


def test_nothing_of_the_build_shows_in_what_it_made(builds: Builds, tmp_path: Path) -> None:
    for which, name in ((builds.plain, "plain"), (builds.other, "other")):
        (tmp_path / name).mkdir()
        for path in builds.made(which):
            shutil.copy2(path, tmp_path / name)
    done = subprocess.run(
        ["diffoscope", "--exclude-directory-metadata=recursive", tmp_path / "plain", tmp_path / "other"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    # The log has it, so it was there to be caught.
    assert contents.holding([MARK.encode()], builds.other.glob("*/log"))
    assert contents.holding([MARK.encode()], builds.made(builds.other)) == []


def test_lintian_has_nothing_to_say_of_the_sources(builds: Builds) -> None:
    changes = sorted(builds.plain.glob("*/*.changes"))
    assert len(changes) == 4
    done = subprocess.run(
        ["lintian", *LINTIAN, *changes], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
