"""The whole way from a site's text to a folder that apt can use."""

from __future__ import annotations

import logging
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.build import apt, changelog, closure, deb, key, repository, source, sources
from nfsha_config.build.debian import Debian
from nfsha_config.build.folder import replaced
from nfsha_config.problems import NfshaError
from nfsha_config.render import PACKAGES
from nfsha_config.site import load
from nfsha_config.site.model import Site

log = logging.getLogger(__name__)

SOURCES = "nfsha.sources"
_NEEDED = {
    "/usr/share/build-essential/list": "build-essential", "dpkg-buildpackage": "dpkg-dev", "dh": "debhelper",
    "debconf-updatepo": "po-debconf", "reprepro": "reprepro", "gpg": "gnupg", "apt-get": "apt",
}  # fmt: skip
"""The packages that a build needs, by a program of each, or by a file of one that has none."""


@dataclass(frozen=True)
class Order:
    """What to build: a site's text and its name in messages, where to, the address it is served at, the tool's .deb.

    With a Debian, the repository also has all that the packages need of it.
    """

    site_text: str
    source: str
    out: Path
    uri: str = sources.PLACEHOLDER
    tool_deb: Path | None = None
    debian: Debian | None = None


def build(order: Order) -> tuple[str, ...]:
    """Build all packages and the signed repository; the names of the .debs that were built.

    Raises InputError for a bad site or URI, NfshaError when a program is missing or Debian's packages can't be had,
    CommandFailed when a program fails.
    """
    site = load.load(order.site_text, order.source)
    sources.check(order.uri)
    look_for_programs()
    with ExitStack() as stack:
        new = stack.enter_context(replaced(order.out, SOURCES))
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nfsha-build.")))
        # First, since it is what may be out of reach.
        debian = stack.enter_context(apt.opened(order.debian)) if order.debian else None
        debs = _packages(order, site, work)
        _warn_of_same_version(order.out, debs)
        needed = closure.fetch(debian, debs) if debian else ()
        _look_for_room(order.out, (*debs, *needed))
        signer = stack.enter_context(key.open_key(site.cluster.name))
        repository.make(new, work / "reprepro", (*debs, *needed), site.cluster.name, signer)
        (new / SOURCES).write_text(sources.text(order.uri, signer), encoding="utf-8")
    return tuple(sorted(one.name for one in debs))


def _packages(order: Order, site: Site, work: Path) -> tuple[Path, ...]:
    tool = changelog.release()
    trees = []
    for package in PACKAGES:
        tree = work / package / f"{package}-{source.version(site, tool)}"
        source.write(source.files(package, site, order.site_text, tool), tree)
        trees.append(tree)
    brought = []
    if order.tool_deb is not None:
        brought.append(_given(order.tool_deb, tool))
    elif deb.tool_source():
        trees.insert(0, deb.tool_tree(work / deb.TOOL / f"nfsha-{tool.version}"))
    else:
        brought.append(deb.fetch_tool(work / "fetched", tool))
    log.info("building %d packages of site %s, revision %d", len(trees), site.cluster.name, site.cluster.revision)
    return (*brought, *deb.build_all(trees, tool))


def _warn_of_same_version(out: Path, debs: tuple[Path, ...]) -> None:
    """A machine takes a package for the one it has when the version is the same, whatever is in it."""
    for one in debs:
        for earlier in out.glob(f"pool/**/{one.name}"):
            if earlier.read_bytes() != one.read_bytes():
                log.warning(
                    "%s: differs from the one that was in %s, and machines that have it will keep theirs; "
                    "raise cluster.revision (or the tool's version)",
                    one.name, out,
                )  # fmt: skip


def _look_for_room(out: Path, debs: tuple[Path, ...]) -> None:
    """reprepro copies each package, and the earlier repository stays until the new one is whole."""
    wanted, free = sum(one.stat().st_size for one in debs), shutil.disk_usage(out.absolute().parent).free
    if wanted > free:
        raise NfshaError(
            f"{out}: the repository needs {wanted / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free "
            "(name an --out on another disk)"
        )


def _given(tool_deb: Path, tool: changelog.Release) -> Path:
    wanted = f"{deb.TOOL}_{tool.version}_all.deb"
    if not tool_deb.is_file() or tool_deb.name != wanted:
        raise NfshaError(f"{tool_deb}: is not the file {wanted} (packages and tool must be of one version)")
    return tool_deb


def look_for_programs() -> None:
    """Raises NfshaError with the packages that a build lacks."""
    missing = sorted(package for name, package in _NEEDED.items() if not (shutil.which(name) or Path(name).is_file()))
    if missing:
        raise NfshaError(f"packages are missing for a build (apt install {' '.join(missing)})")
