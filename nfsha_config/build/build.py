"""The whole way from a site's text to a folder that apt can use."""

from __future__ import annotations

import logging
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.build import changelog, deb, key, repository, source, sources
from nfsha_config.build.folder import replaced
from nfsha_config.problems import NfshaError
from nfsha_config.render import PACKAGES
from nfsha_config.site import load

log = logging.getLogger(__name__)

SOURCES = "nfsha.sources"
_PROGRAMS = {
    "dpkg-buildpackage": "dpkg-dev", "dh": "debhelper", "debconf-updatepo": "po-debconf", "reprepro": "reprepro",
    "gpg": "gnupg",
}  # fmt: skip


@dataclass(frozen=True)
class Order:
    """What to build: a site's text and its name in messages, where to, the address it is served at, the tool's .deb."""

    site_text: str
    source: str
    out: Path
    uri: str = sources.PLACEHOLDER
    tool_deb: Path | None = None


def build(order: Order) -> tuple[str, ...]:
    """Build all packages and the signed repository; the names of the .debs.

    Raises InputError for a bad site, NfshaError when a program is missing, CommandFailed when one fails.
    """
    site = load.load(order.site_text, order.source)
    _look_for_programs()
    tool = changelog.release()
    with replaced(order.out, SOURCES) as new, tempfile.TemporaryDirectory(prefix="nfsha-build.") as folder:
        work = Path(folder)
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
        debs = (*brought, *deb.build_all(trees, tool))
        _warn_of_same_version(order.out, debs)
        with key.open_key(site.cluster.name) as signer:
            repository.make(new, work / "reprepro", debs, site.cluster.name, signer)
            (new / SOURCES).write_text(sources.text(order.uri, signer), encoding="utf-8")
    return tuple(sorted(one.name for one in debs))


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


def _given(tool_deb: Path, tool: changelog.Release) -> Path:
    wanted = f"{deb.TOOL}_{tool.version}_all.deb"
    if not tool_deb.is_file() or tool_deb.name != wanted:
        raise NfshaError(f"{tool_deb}: is not the file {wanted} (packages and tool must be of one version)")
    return tool_deb


def _look_for_programs() -> None:
    missing = sorted({package for program, package in _PROGRAMS.items() if not shutil.which(program)})
    if missing:
        raise NfshaError(f"programs are missing for a build (apt install {' '.join(missing)})")
