"""Which Debian the packages are taken from that the site's packages need, and how apt is told of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nfsha_config.build.sources import URI
from nfsha_config.problems import InputError, Problem
from nfsha_config.run import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KERNELS = {
    "amd64": "linux-image-amd64", "arm64": "linux-image-arm64", "armhf": "linux-image-armmp",
    "i386": "linux-image-686-pae", "ppc64el": "linux-image-powerpc64le", "riscv64": "linux-image-riscv64",
    "s390x": "linux-image-s390x",
}  # fmt: skip
"""The kernel of each architecture that a machine can have; it holds OCFS2, which Debian's cloud kernels lack."""

_TIMEOUT = 600.0
"""Seconds for apt to read the build host's indices; a slow machine takes minutes."""

_CODE_NAME = re.compile(r"[a-z][a-z0-9]*\Z")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
"""A package's name, Debian Policy 5.6.1; components look alike."""


@dataclass(frozen=True)
class Debian:
    """A release for one architecture: where it lies, who signs it, and which packages are wanted besides."""

    release: str
    mirror: str
    security_mirror: str
    keyring: Path
    architecture: str
    components: tuple[str, ...]
    include: tuple[str, ...]

    @property
    def suites(self) -> dict[str, tuple[str, ...]]:
        """The suites to take from each mirror: all that an up-to-date machine of the release has."""
        return {
            self.mirror: (self.release, f"{self.release}-updates"), self.security_mirror: (f"{self.release}-security",),
        }  # fmt: skip

    def sources(self, keyring: Path) -> str:
        """The file for apt, sources.list(5); only the keys of the keyring count, whatever else the host trusts.

        apt uses what it finds by file: where it lies, and copies what it finds by copy: into its cache.
        """
        return "\n".join(
            "Types: deb\n"
            f"URIs: {re.sub('^file:', 'copy:', mirror)}\n"
            f"Suites: {' '.join(suites)}\n"
            f"Components: {' '.join(self.components)}\n"
            f"Architectures: {self.architecture}\n"
            f"Signed-By: {keyring}\n"
            for mirror, suites in self.suites.items()
        )


def of(
    release: str,
    mirror: str | None = None,
    security_mirror: str | None = None,
    keyring: Path = KEYRING,
    architecture: str | None = None,
    components: str = "main",
    include: str = "",
) -> Debian:
    """A release as it is named on the command line; what is not named is as the build host has it.

    components and include are lists with commas. Raises InputError with all problems.
    """
    usual: dict[str, str] = {} if mirror and security_mirror else _host_mirrors(release)
    debian = Debian(
        release, mirror or usual.get("Debian") or "", security_mirror or usual.get("Debian-Security") or "", keyring,
        architecture or run(["dpkg", "--print-architecture"]).stdout.strip(), _list(components), _list(include),
    )  # fmt: skip
    problems = tuple(_problems(debian))
    if problems:
        raise InputError("nfsha build", problems)
    return debian


def _list(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[,\s]+", text) if word)


def _host_mirrors(release: str) -> dict[str, str]:
    """The mirrors that the build host's apt has itself, by the label of what they hold: of the release, else of any.

    A mirror's label stands in its Release file, so a build host that never updated knows none.
    """
    fields = "$(ORIGIN)|$(LABEL)|$(RELEASE)|$(REPO_URI)"
    command = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    found = [line.split("|", 3) for line in run(command, check=False, timeout=_TIMEOUT).stdout.splitlines()]
    fit = [one for one in found if one[0] == "Debian" and not one[3].startswith("cdrom:")]
    # The last of a label stays.
    return {one[1]: one[3] for one in sorted(fit, key=lambda one: one[2].startswith(release))}


def _problems(debian: Debian) -> Iterator[Problem]:
    if not _CODE_NAME.match(debian.release):
        hint = "name a stable release, such as bookworm"
        yield Problem("--with-dependencies", "is not the code name of a release", hint, debian.release)
    for option, uri in (("--mirror", debian.mirror), ("--security-mirror", debian.security_mirror)):
        if not uri:
            yield Problem(option, "is not named, and this machine's apt has none", "name it, or apt-get update first")
        elif not URI.match(uri):
            yield Problem(option, "is not a URI", "as sources.list(5) has them, such as http://HOST/debian", uri)
    if not debian.keyring.is_file():
        yield Problem("--keyring", "is not a file", "apt install debian-archive-keyring", str(debian.keyring))
    if debian.architecture not in KERNELS:
        hint = f"one of {', '.join(KERNELS)}"
        yield Problem("--architecture", "is not an architecture that nfsha knows", hint, debian.architecture)
    for option, names in (("--components", debian.components), ("--include", debian.include)):
        for name in names:
            if not _NAME.match(name):
                yield Problem(option, "can't be a name", "separate names by commas", name)
