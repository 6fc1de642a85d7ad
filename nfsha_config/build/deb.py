"""From source trees to .debs, with Debian's own tools."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nfsha_config import paths
from nfsha_config.build.changelog import CHECKOUT, Release, is_checkout
from nfsha_config.problems import CommandFailed, NfshaError
from nfsha_config.run import run

log = logging.getLogger(__name__)

TOOL = "python3-nfsha-config"
_TOOL_SOURCES = ("setup.py", "setup.cfg", "debian", "nfsha_config", "packages")
_TIMEOUT = 900.0
"""Seconds for one package; on a slow emulated machine debhelper takes minutes."""


def build(tree: Path, tool: Release) -> tuple[Path, ...]:
    """Build the binary packages of a source tree; they lie beside it. Raises CommandFailed."""
    env = {"SOURCE_DATE_EPOCH": str(tool.epoch), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    if " " in tempfile.gettempdir():
        # po2debconf does not quote it, and dh_installdebconf takes the empty template for a good one.
        env["TMPDIR"] = "/tmp"
    before = set(tree.parent.glob("*.deb"))
    run(["dpkg-buildpackage", "-b", "-us", "-uc"], cwd=tree, env=env, timeout=_TIMEOUT)
    made = sorted(set(tree.parent.glob("*.deb")) - before)
    log.info("built %s", ", ".join(deb.name for deb in made))
    return tuple(made)


def build_all(trees: Iterable[Path], tool: Release) -> tuple[Path, ...]:
    """Build several trees at the same time; each must lie in a folder of its own."""
    with ThreadPoolExecutor() as pool:
        return tuple(deb for debs in pool.map(lambda tree: build(tree, tool), trees) for deb in debs)


def tool_tree(folder: Path) -> Path:
    """A copy of what the tool's package is built from, so that a build leaves nothing in the checkout."""
    folder.mkdir(parents=True)
    left_over = ("__pycache__", "*.egg-info", ".*", "debhelper-build-stamp", "files", "*.substvars", "*.[15]", TOOL)
    ignore = shutil.ignore_patterns(*left_over)
    for name in _TOOL_SOURCES:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    return folder


def tool_source() -> bool:
    """Whether the tool's own package can be built here."""
    return is_checkout() and paths.templates() == CHECKOUT / "packages"


def fetch_tool(folder: Path, tool: Release) -> Path:
    """The installed tool's own .deb from the apt repository it came from. Raises NfshaError when it has gone."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        run(["apt-get", "download", f"{TOOL}={tool.version}"], cwd=folder)
    except CommandFailed as error:
        raise NfshaError(
            f"{error}\n{TOOL} {tool.version}: its .deb is wanted for the repository, and apt can't get it "
            "(name the file with --tool, or build from a checkout)"
        ) from error
    return next(folder.glob("*.deb"))
