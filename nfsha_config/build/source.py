"""From a site to the source tree of one Debian package, laid out as debhelper expects it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nfsha_config import paths
from nfsha_config.build import templates
from nfsha_config.build.changelog import Release
from nfsha_config.build.question import questions
from nfsha_config.file import write as write_file
from nfsha_config.render import PACKAGES, RESIDENT, ManagedFile, environment, packaged
from nfsha_config.render.managed import Owned
from nfsha_config.render.unitname import escape_path
from nfsha_config.site.model import Site

_COMMON = "common"
_PROGRAMS = ("rules",)


def version(site: Site, tool: Release) -> str:
    """The version of a site's packages: it rises with the tool's version and with the site's revision."""
    return f"{tool.version}+site{site.cluster.revision}"


def files(package: str, site: Site, site_text: str, tool: Release) -> tuple[ManagedFile, ...]:
    """The whole tree, as seen from its top: /usr as on the machine, and /debian."""
    return (*packaged(package, site, site_text), *_packaging(package, site, tool))


def write(files: tuple[ManagedFile, ...], folder: Path) -> None:
    """Write the files below a folder, each at its path."""
    for file in files:
        write_file(folder / file.path.lstrip("/"), file.text, file.mode)


def _packaging(package: str, site: Site, tool: Release) -> Iterator[ManagedFile]:
    asked = questions(package, site)
    values = {
        "package": package, "packages": PACKAGES, "site": site, "tool": tool, "version": version(site, tool),
        "questions": asked, "mount_unit": escape_path(site.client.mount_point), "resident": RESIDENT,
    }  # fmt: skip
    for name, source in sorted(_sources(package).items()):
        text = source.read_text(encoding="utf-8")
        if source.suffix == ".j2":
            text = environment().get_template(str(source.relative_to(paths.templates()))).render(values)
            name = name.removesuffix(".j2")
        # debhelper wants a package's overrides under the package's name.
        name = f"{package}.lintian-overrides" if name == "overrides" else name
        yield ManagedFile(f"/debian/{name}", text, 0o755 if name in _PROGRAMS else 0o644, Owned.PACKAGE)
    yield ManagedFile("/debian/templates", templates.text(package, asked), 0o644, Owned.PACKAGE)


def _sources(package: str) -> dict[str, Path]:
    """The files of debian/, by name; a package's own goes before the one that all have in common."""
    found = {}
    for owner in (_COMMON, package):
        top = paths.templates() / owner / "debian"
        found.update({str(path.relative_to(top)): path for path in top.rglob("*") if path.is_file()})
    return found
