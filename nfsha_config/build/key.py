"""The key that signs the repository: made on first use, in a folder that is the user's alone."""

from __future__ import annotations

import fcntl
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nfsha_config import paths
from nfsha_config.problems import NfshaError
from nfsha_config.run import run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Key:
    """A signing key: the keyring's folder as gpg is to know it, the fingerprint, the public part in ASCII armour."""

    home: Path
    fingerprint: str
    public: str


def home() -> Path:
    """The folder of the keyring."""
    return paths.of_user("XDG_DATA_HOME", ".local/share") / "nfsha" / "keyring"


@contextmanager
def open_key(site_name: str) -> Iterator[Key]:
    """The key of a site, made when there is none; usable while the context is open.

    It has no passphrase: a build runs unattended, so the folder's mode 0700 is what guards it.
    """
    folder = home()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        raise NfshaError(f"{folder}: others may enter it, and the signing key lies there (chmod 700 {folder})")
    owner = f"nfsha repository of {site_name}"
    with open(folder / ".nfsha-lock", "w", encoding="ascii") as lock, _short(folder) as short:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            fingerprint = _find(short, owner) or _make(short, owner, folder)
            public = _gpg(short, "--armor", "--export-options", "export-minimal", "--export", fingerprint)
            yield Key(short, fingerprint, public)
        finally:
            # gpg leaves its agent running, which would hold the folder for ever.
            run(["gpgconf", "--homedir", short, "--kill", "gpg-agent"], check=False)


@contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """The folder under a short name: gpg-agent's socket lies in it, and a socket's path has 107 bytes (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="nfsha-key.", dir="/tmp") as outer:
        link = Path(outer) / "home"
        link.symlink_to(folder.absolute())
        yield link


def _gpg(folder: Path, *words: str) -> str:
    return run(["gpg", "--homedir", folder, "--batch", "--no-tty", "--quiet", *words]).stdout


def _find(folder: Path, owner: str) -> str | None:
    listing = run(
        ["gpg", "--homedir", folder, "--batch", "--with-colons", "--list-secret-keys", f"={owner}"], check=False
    ).stdout
    return next((line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:")), None)


def _make(home: Path, owner: str, folder: Path) -> str:
    _gpg(home, "--passphrase", "", "--quick-generate-key", owner, "ed25519", "sign", "never")
    fingerprint = _find(home, owner)
    if fingerprint is None:
        raise NfshaError(f"{folder}: gpg made no key for {owner} (see what `gpg --homedir {folder} -K` says)")
    log.info("made the signing key of %s in %s; keep a copy of that folder", owner, folder)
    return fingerprint
