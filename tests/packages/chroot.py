"""A minimal Debian, made once by mmdebstrap and kept, and copies of it that a test may spoil.

    with chroot.unpacked(chroot.Recipe()) as root:
        done = root.run("apt-get", "update")

Root is wanted for mounts and user ids; an ordinary user is it in a user namespace (mmdebstrap(1), mode unshare).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from nfsha_config.run import run
from nfsha_lab.folders import Folders
from nfsha_lab.image import mirror
from nfsha_lab.lab import RELEASE

_MAKING = 1800.0
"""Seconds to make a chroot, over a slow line; to unpack or remove one takes less."""
_FRESH = 7 * 86400.0
"""Seconds after which a chroot is made anew: the archive goes on."""
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")

AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-auto", "--map-root-user"]
"""What a command that must be root starts with."""

# In a mount namespace of its own: what is mounted here goes with the last process.
_ENTER = """
root=$1
shift
mount -t proc proc /proc
mount --rbind /proc "$root/proc"
# Debian 13's procps puts in force what any package has in sysctl.d, and the kernel is this machine's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --rbind /dev "$root/dev"
exec "$@"
"""


@dataclass(frozen=True)
class Recipe:
    """What a chroot is made from: mmdebstrap's variant, names of packages, and relations as debian/control has them."""

    variant: str = "apt"
    packages: tuple[str, ...] = ()
    relations: str = ""
    release: str = RELEASE

    @property
    def key(self) -> str:
        """A name for what it is made from: the same input gives the same 16 hexadecimal digits."""
        made_from = {**asdict(self), "mirror": mirror(self.release)}
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Chroot:
    """An unpacked chroot, there to be spoilt."""

    folder: Path

    def run(
        self, *argv: str, network: bool = True, stdin: str = "", timeout: float = 600, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root, with nothing of this process's environment; its output is one text, stdout.

        All that it leaves running is killed. Without network not even its own host can be reached.
        """
        proxies = {name: os.environ[name] for name in _PROXIES if name in os.environ}
        words = [f"{name}={value}" for name, value in {**_ENVIRONMENT, **proxies, **env}.items()]
        command = [*self.around(network=network), "chroot", self.folder, "env", "-i", *words, *argv]
        return subprocess.run(
            command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=timeout, check=False,
        )  # fmt: skip

    def around(self, *, network: bool = True) -> list[str | Path]:
        """What a command of this machine starts with, to be root and find /proc and /dev in the chroot."""
        return [
            *AS_ROOT, "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
            *([] if network else ["--net"]), "sh", "-ec", _ENTER, "sh", self.folder,
        ]  # fmt: skip

    def at(self, path: str) -> Path:
        """Where a path of the chroot lies on this machine."""
        return self.folder / path.lstrip("/")


def tarball(recipe: Recipe) -> Path:
    """The kept archive of a chroot (.tar.zst), made now (a minute) when there is none of this week."""
    folder = Folders.of_environment().cache / "chroots"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{recipe.key}.tar.zst"
    with open(folder / f"{recipe.key}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists() or time.time() - kept.stat().st_mtime > _FRESH:
            _make(recipe, kept)
            _discard_old(folder)
    return kept


@contextmanager
def unpacked(recipe: Recipe) -> Iterator[Chroot]:
    """A copy of a chroot that is gone when the context ends; services are not started in it."""
    archive = tarball(recipe)
    # In /var/tmp: TMPDIR may be closed to the other users of a chroot.
    with tempfile.TemporaryDirectory(prefix="nfsha-chroot.", dir="/var/tmp") as outer:
        os.chmod(outer, 0o711)
        folder = Path(outer) / "root"
        folder.mkdir()
        try:
            run([*AS_ROOT, "tar", "--extract", "--file", archive, "--exclude=./dev/*", "--directory", folder], timeout=_MAKING)
            here = Chroot(folder)
            policy = "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d"
            here.run("sh", "-c", f"{policy} && cat >/etc/resolv.conf", stdin=Path("/etc/resolv.conf").read_text())
            yield here
        finally:
            run([*AS_ROOT, "rm", "--recursive", "--force", "--one-file-system", folder], timeout=_MAKING)


def _make(recipe: Recipe, kept: Path) -> None:
    aside = kept.with_name(f"new.{kept.name}")
    satisfy = 'chroot "$1" apt-get satisfy --yes --no-install-recommends "$RELATIONS"'
    command: list[str | Path] = [
        "mmdebstrap", "--quiet", f"--mode={'root' if os.geteuid() == 0 else 'unshare'}",
        f"--variant={recipe.variant}", '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io",
        *([f"--include={','.join(recipe.packages)}"] if recipe.packages else []),
        *([f"--customize-hook={satisfy}"] if recipe.relations else []),
        recipe.release, aside, *mirror(recipe.release),
    ]  # fmt: skip
    env: Mapping[str, str] = {"RELATIONS": recipe.relations, "TMPDIR": "/var/tmp"}
    run(command, env=env, timeout=_MAKING)
    shutil.move(aside, kept)


def _discard_old(folder: Path) -> None:
    for path in folder.glob("*.tar.zst"):
        if time.time() - path.stat().st_mtime > 2 * _FRESH:
            path.unlink()
