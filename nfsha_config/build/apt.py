"""apt with a configuration and a state of its own: what the build host has installed, or trusts, has no say in it."""

from __future__ import annotations

import fcntl
import itertools
import logging
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from nfsha_config import paths
from nfsha_config.build.debian import Debian
from nfsha_config.problems import NfshaError
from nfsha_config.run import run

log = logging.getLogger(__name__)

_TIMEOUT = 4 * 3600.0
"""Seconds for one run of apt; a closure comes over a slow line, too."""
_INDICES = 200_000_000
"""Bytes that apt needs for the indices of a release and its caches of them; what it does at update on a full disk is at
times to wait for ever. For packages it looks for room by itself, before it fetches them."""
_CONF = """\
Dir "{folder}/";
Dir::Etc "etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::State "state";
Dir::State::status "{folder}/state/status";
Dir::Cache "cache";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "";
APT::Install-Recommends "true";
APT::Install-Suggests "false";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
"""
_FOLDERS = ("etc/sources.list.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial", "empty/partial")
_TRANSPORT = re.compile(r"Acquire::(https?|ForceIPv4|ForceIPv6|Retries)\b")
"""What is taken from the host's apt.conf: how to reach a mirror, such as its proxy, and nothing of what to trust."""
_PLANNED = re.compile(r"'(?P<uri>[^']+)' (?P<name>\S+) (?P<size>\d+) ?(?:SHA256:(?P<sha256>[0-9a-f]{64}))?$")
_REFUSALS = (
    ("expired|not valid yet", "the mirror is not up to date (name another --mirror; look at the clock)"),
    ("NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|signature|not signed", "is not signed by {keyring} (see --keyring)"),
    ("have a Release file", "the mirror has not got it (name a stable release by its code name)"),
    ("404|File not found", "the mirror lacks a file that it lists (name another --mirror, or wait)"),
    ("Hash Sum mismatch|unexpected size", "the mirror sent other bytes than Debian signed (name another --mirror)"),
    ("free space|space left|quota", "there is no room for it in {cache} (XDG_CACHE_HOME names another folder)"),
    ("Unable to locate|no installation candidate", "a package is not in it (see --include and --components)"),
    ("unmet|held broken|Unable to correct", "a package's dependencies are not in it (see --include and --components)"),
    ("", "the mirror can't be reached (see --mirror, and the proxy in apt.conf)"),
)  # fmt: skip
"""What apt's complaints come to, the first that fits; apt's own line follows."""


@dataclass(frozen=True)
class Deb:
    """A package file as the signed indices have it; size in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Apt:
    """A Debian that apt has verified the indices of, with the folder of its state."""

    debian: Debian
    folder: Path

    @property
    def archives(self) -> Path:
        """Where the packages come to lie."""
        return self.folder / "cache" / "archives"

    def plan(self, wanted: Sequence[str]) -> tuple[Deb, ...]:
        """What a machine without any package needs for what is wanted: names, apt-patterns(7) and .debs.

        The .debs that are wanted themselves are not among it. Raises NfshaError when something is not to be had.
        """
        # apt leaves out what it has got already, hence the empty folder.
        nothing = f"Dir::Cache::archives={self.folder}/empty"
        listing = self._run("-o", nothing, "install", "--yes", "--print-uris", "--", *wanted)
        planned = [found for line in listing.splitlines() if (found := _PLANNED.match(line))]
        given = [f"file:{word}" for word in wanted]
        unsigned = [one["name"] for one in planned if one["sha256"] is None and unquote(one["uri"]) not in given]
        if unsigned:
            raise NfshaError(f"Debian {self.debian.release}: has no checksum of {unsigned[0]} (name another --mirror)")
        return tuple(Deb(one["name"], int(one["size"]), one["sha256"]) for one in planned if one["sha256"])

    def fetch(self, wanted: Sequence[str]) -> None:
        """Download what plan() told of and archives has not got; apt takes what is there by its size alone."""
        self._run("install", "--yes", "--download-only", "--", *wanted)

    def tidy(self) -> None:
        """Forget the packages that the mirror has newer ones of."""
        self._run("autoclean")

    def _run(self, *words: str) -> str:
        done = run(["apt-get", "--quiet", *words], check=False, env=self._env, timeout=_TIMEOUT)
        if done.returncode != 0:
            raise NfshaError(self._refusal(done))
        return done.stdout

    @property
    def _env(self) -> dict[str, str]:
        return {"APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def _refusal(self, done: subprocess.CompletedProcess[str]) -> str:
        lines = done.stderr.splitlines()
        said = "\n".join(lines)
        pattern, what = next((pattern, what) for pattern, what in _REFUSALS if re.search(pattern, said))
        unmet = [line.strip() for line in done.stdout.splitlines() if "Depends:" in line]
        line = next((line for line in (*unmet, *lines) if re.search(pattern, line)), (*unmet, *lines, "nothing")[0])
        what = what.format(keyring=self.debian.keyring, cache=self.folder)
        return f"Debian {self.debian.release}: {what}; apt says: {line}"

    def _update(self) -> None:
        self._run("update", "--error-on=any")
        # apt only warns of what a mirror lacks, or of another release's files, which Debian signed as well.
        got = self._run("indextargets", "--format", "$(CODENAME) $(COMPONENT)").splitlines()
        debian = self.debian
        suites = (suite for suites in debian.suites.values() for suite in suites)
        for suite, component in itertools.product(suites, debian.components):
            if f"{suite} {component}" not in got:
                raise NfshaError(
                    f"Debian {debian.release}: the mirror has no {suite} with {component} for {debian.architecture} "
                    "(name a stable release by its code name; see --components and --architecture)"
                )


@contextmanager
def opened(debian: Debian) -> Iterator[Apt]:
    """apt for a release, with indices that are up to date and verified; its state is kept in the user's cache.

    Raises NfshaError when the mirror can't be reached, lacks the release, or is not signed by the keyring,
    and when there is no room.
    """
    folder = paths.of_user("XDG_CACHE_HOME", ".cache") / "nfsha" / f"{debian.release}-{debian.architecture}"
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _INDICES:
        raise NfshaError(
            f"{folder}: Debian's indices need {_INDICES / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free "
            "(XDG_CACHE_HOME names another folder)"
        )
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _configure(debian, folder)
        apt = Apt(debian, folder)
        log.info("reading what Debian %s has, from %s", debian.release, " and ".join(debian.suites))
        apt._update()
        yield apt


def _configure(debian: Debian, folder: Path) -> None:
    key = debian.keyring.read_bytes()
    # apt knows by the name whether a key is in ASCII armour, sources.list(5).
    keyring = folder / "etc" / ("keyring.asc" if key.startswith(b"-----BEGIN PGP") else "keyring.gpg")
    keyring.write_bytes(key)
    (folder / "etc" / "sources.list.d" / "debian.sources").write_text(debian.sources(keyring), encoding="utf-8")
    (folder / "state" / "status").write_text("", encoding="utf-8")
    host = run(["apt-config", "dump"]).stdout.splitlines()
    transport = "".join(f"{line}\n" for line in host if _TRANSPORT.match(line))
    conf = _CONF.format(folder=folder, architecture=debian.architecture)
    (folder / "apt.conf").write_text(conf + transport, encoding="utf-8")
