"""The packages of Debian that the site's packages need: what a machine has to have a mirror for otherwise."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path

from nfsha_config.build.apt import Apt, Deb
from nfsha_config.build.debian import KERNELS
from nfsha_config.problems import NfshaError
from nfsha_config.render import PACKAGES

log = logging.getLogger(__name__)

_BASE = ("?essential", "?priority(required)", "?priority(important)")
"""What debootstrap puts on each machine. No package says that it needs the essential ones (Debian Policy 3.5), and a
machine that was installed from an older medium has to get newer ones of all these together with the rest."""


def fetch(apt: Apt, own: Iterable[Path]) -> tuple[Path, ...]:
    """Download all that the .debs of the repository need, recommended packages included, and the nodes' kernel.

    Each file is what Debian signed. Raises NfshaError.
    """
    wishes = _wishes(apt, {path.name.partition("_")[0]: str(path.resolve()) for path in own})
    planned = {deb.name: deb for wish in wishes for deb in apt.plan(wish)}
    size = sum(deb.size for deb in planned.values())
    for deb in planned.values():
        if not _intact(apt.archives / deb.name, deb):
            (apt.archives / deb.name).unlink(missing_ok=True)
    missing = sum(deb.size for deb in planned.values() if not (apt.archives / deb.name).exists())
    log.info("%d packages of Debian are needed, %.0f MB; %.0f MB to fetch", len(planned), size / 1e6, missing / 1e6)
    for wish in wishes:
        apt.fetch(wish)
    for deb in planned.values():
        if not _intact(apt.archives / deb.name, deb):
            raise NfshaError(f"{apt.archives / deb.name}: is not the file that Debian signed (build again)")
    apt.tidy()
    return tuple(apt.archives / name for name in sorted(planned))


def _wishes(apt: Apt, own: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """What each kind of machine installs; each is asked for alone, since the packages conflict."""
    tools = [path for name, path in own.items() if name not in PACKAGES]
    kinds = [(*_BASE, *tools, own[package]) for package in PACKAGES]
    more = [KERNELS[apt.debian.architecture], *apt.debian.include]
    return (*kinds, *((*_BASE, name) for name in more))


def _intact(path: Path, deb: Deb) -> bool:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == deb.sha256
    except FileNotFoundError:
        return False
