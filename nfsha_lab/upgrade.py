"""A machine's upgrade to another release of Debian: the packages that it fetches, and the kernel that it boots then."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from nfsha_config.build import apt, debian
from nfsha_config.problems import NfshaError
from nfsha_lab import process
from nfsha_lab.errors import LabError
from nfsha_lab.folders import Folders
from nfsha_lab.image import Image
from nfsha_lab.kernel import unpacked
from nfsha_lab.lab import Lab
from nfsha_lab.log import step
from nfsha_lab.machine import BOOT_SECONDS, Machine
from nfsha_lab.requirements import SEARCH_PATH
from nfsha_lab.topology import REPOSITORY_ADDRESS
from nfsha_lab.updates import serve_beside

# Some 200 MB, over a slow line.
_FETCH_SECONDS = 1800.0
_INDEX_SECONDS = 300.0
_INITRD_SECONDS = 300.0
# A node of the laboratory, and the chroots of the package tests.
_KEPT = 4
# Raised when the same ingredients come to another archive.
_VERSION = 1

_ENTRY = re.compile(r"^Package: (?P<name>\S+)\n(?:.+\n)*?Version: (?P<version>\S+)$", re.MULTILINE)
_OWN = ("nfsha-", "python3-nfsha-")
_SOURCES = "/etc/apt/sources.list"


def archive_key(release: str, status: str) -> str:
    """A name for what an archive is made for: a release, and the machine's packages but nfsha's, which change daily."""
    packages = sorted(f"{name} {version}" for name, version in _ENTRY.findall(status) if not name.startswith(_OWN))
    made_for = [_VERSION, release, os.environ.get("NFSHA_LAB_MIRROR", ""), packages]
    return hashlib.sha256(json.dumps(made_for).encode()).hexdigest()[:16]


def find_or_fetch(folders: Folders, release: str, status: str) -> Path:
    """A repository of all that apt fetches when a machine is upgraded to a release, each package as Debian signed it.

    `status` is the text of the machine's /var/lib/dpkg/status. Kept for the next machine with the same packages.
    """
    kept = folders.cache / "upgrades"
    kept.mkdir(parents=True, exist_ok=True, mode=0o700)
    final = kept / f"{release}-{archive_key(release, status)}"
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            _make(release, status, kept, final)
            _discard_old(kept)
    return final


def _make(release: str, status: str, kept: Path, final: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="making-", dir=kept) as making, step(f"fetching an upgrade to {release}"):
        made = Path(making) / "archive"
        _fetch(release, status, made / "pool", Path(making) / "status")
        _index(release, made)
        made.rename(final)


def _fetch(release: str, status: str, pool: Path, place: Path) -> None:
    """What `apt full-upgrade` downloads on a machine with these packages that has Debian's mirror."""
    (pool / "partial").mkdir(parents=True)
    place.write_text(status, encoding="utf-8")
    options = ["-o", f"Dir::State::status={place}", "-o", f"Dir::Cache::archives={pool}"]
    try:
        with apt.opened(debian.of(release, os.environ.get("NFSHA_LAB_MIRROR"))) as opened:
            env = {"APT_CONFIG": str(opened.folder / "apt.conf"), "LC_ALL": "C.UTF-8", "PATH": SEARCH_PATH}
            process.run(["apt-get", "--yes", "--download-only", *options, "full-upgrade"], _FETCH_SECONDS, env=env)
    except NfshaError as error:
        raise LabError(str(error)) from error
    (pool / "lock").unlink()
    (pool / "partial").rmdir()


def _index(release: str, archive: Path) -> None:
    folder = archive / "dists" / release / "main" / f"binary-{_architecture()}"
    folder.mkdir(parents=True)
    index = process.run(["dpkg-scanpackages", "--multiversion", "pool"], _INDEX_SECONDS, cwd=archive)
    (folder / "Packages").write_text(index, encoding="utf-8")


def _architecture() -> str:
    return process.run(["dpkg", "--print-architecture"], 30).strip()


def _discard_old(kept: Path) -> None:
    made = [path for path in kept.iterdir() if path.is_dir()]
    for path in sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def publish(lab: Lab, archive: Path, repository: Path, folder: Path) -> None:
    """Serve an archive as /debian beside what a repository has; folder is to hold the two."""
    (folder / "debian").symlink_to(archive)
    serve_beside(lab, repository, folder)


def source(uri: str, release: str) -> str:
    """The line of sources.list(5) for an archive; what is in it was verified when it was fetched."""
    return f"deb [trusted=yes] {uri} {release} main\n"


def offer(machine: Machine, release: str) -> None:
    """Give a machine the sources of one that has a mirror, of its own release, in the place of the laboratory's."""
    machine.write_file(_SOURCES, source(f"http://{REPOSITORY_ADDRESS}/debian", release))
    machine.succeed("rm /etc/apt/sources.list.d/lab.sources")


def boot_own_kernel(machine: Machine, folder: Path) -> None:
    """Switch a machine off and on, with the newest kernel that its disk has, as a boot loader would.

    folder is to hold the kernel for as long as the machine runs; its `qemu` is another one from then on.
    """
    with step(f"{machine.name}: booting the kernel of its disk"):
        image = Image(folder, f"{machine.qemu.image.key}-{machine.name}")
        kernel = machine.succeed("ls -v /boot/vmlinuz-* | tail -n 1").strip()
        machine.succeed(f"/usr/share/lab/initrd {kernel.partition('-')[2]} /root/initrd", _INITRD_SECONDS)
        machine.copy_out("/root/initrd", image.initrd)
        machine.copy_out(kernel, image.kernel)
        image.kernel.write_bytes(unpacked(image.kernel.read_bytes()))
        machine.shutdown(BOOT_SECONDS)
        machine.qemu = replace(machine.qemu, image=image)
        machine.start()
        machine.wait_until_booted()
