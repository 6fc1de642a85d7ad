"""The signed apt repository, made by reprepro in an empty folder each time."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from nfsha_config.build.key import Key
from nfsha_config.run import run

log = logging.getLogger(__name__)

SUITE = "nfsha"
COMPONENT = "main"
_ARCHITECTURES = "amd64 arm64 armhf i386 ppc64el riscv64 s390x"
_TIMEOUT = 1800.0
"""Seconds; hundreds of packages may be put in, onto a slow disk."""
_DISTRIBUTIONS = """\
Origin: nfsha
Label: nfsha
Codename: {suite}
Suite: {suite}
Components: {component}
Architectures: {architectures}
Description: nfsha for the cluster {site}
SignWith: {fingerprint}
"""


def make(folder: Path, work: Path, debs: Iterable[Path], site_name: str, key: Key) -> None:
    """Write pool/ and dists/ into a folder; reprepro's own data stays in work.

    The packages' bytes and the Packages indices depend on the input alone. Release holds the time of the build,
    and so does its signature: apt takes an older date than it has seen for a replay.
    """
    conf = work / "conf"
    conf.mkdir(parents=True)
    (conf / "distributions").write_text(
        _DISTRIBUTIONS.format(
            suite=SUITE, component=COMPONENT, architectures=_ARCHITECTURES, site=site_name, fingerprint=key.fingerprint
        ),
        encoding="utf-8",
    )
    command: list[str | Path] = [
        "reprepro", "--silent", "--outdir", folder.resolve(), "--confdir", conf.resolve(),
        "--dbdir", (work / "db").resolve(), "--gnupghome", key.home, "includedeb", SUITE,
    ]  # fmt: skip
    run([*command, *sorted(deb.resolve() for deb in debs)], timeout=_TIMEOUT)
    log.info("signed the repository with %s", key.fingerprint)
