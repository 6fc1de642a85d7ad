"""One disk image of plain Debian for all machines, made by mmdebstrap without mounts, kept by what made it."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab import archive, process, topology, tree
from nfsha_lab.errors import LabError
from nfsha_lab.folders import Folders
from nfsha_lab.kernel import unpacked
from nfsha_lab.log import say, step
from nfsha_lab.requirements import SEARCH_PATH

# The mirror that mmdebstrap is told, None for what it takes by itself: that has the updates of a stable release, too.
RELEASES: Mapping[str, str | None] = {"bookworm": None, "trixie": None, "forky": "http://deb.debian.org/debian"}
DISK_SIZE = "3G"
BUILD_SECONDS = 1800.0
# One for each release, and one with what the benchmark needs.
IMAGES_KEPT = 4
_MAKING = "making-"

# Raised when the same ingredients come to another image.
VERSION = 2

GUEST_TREE = Path(__file__).parent / "guest"
RECIPE = Path(__file__).parent / "recipe.sh"

# A minimal Debian with what a person expects on a server, and nothing that nfsha has to bring itself.
BASE_PACKAGES: tuple[str, ...] = (
    "apt-utils",
    "bsdextrautils",
    "busybox-static",
    "ca-certificates",
    "cpio",
    "cron",
    "dbus",
    "debconf",
    "ifupdown",
    "initramfs-tools",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "linux-image-amd64",
    "nano",
    "netbase",
    "openssh-server",
    "procps",
    "python3",
    "qemu-guest-agent",
    "systemd",
    "systemd-sysv",
    "tcpdump",
    "udev",
    "whiptail",
    "zstd",
)


@dataclass(frozen=True)
class Image:
    """A finished image: `disk` is a qcow2 to be used as a backing file only."""

    folder: Path
    key: str

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"


def guest_files() -> dict[str, tuple[int, bytes]]:
    """What is laid over Debian in the image: path without leading slash -> (mode, content)."""
    return {"etc/hosts": (0o644, topology.hosts_file().encode()), **tree.files(GUEST_TREE)}


def image_key(release: str, files: dict[str, tuple[int, bytes]], recipe: bytes, more: tuple[str, ...] = ()) -> str:
    """A name for what an image is made from: the same input gives the same 16 hexadecimal digits."""
    made_from = {
        "release": release,
        "size": DISK_SIZE,
        "base": sorted(BASE_PACKAGES),
        "archive": sorted((*archive.PACKAGES, *more)),
        "mirror": os.environ.get("NFSHA_LAB_MIRROR", ""),
        "files": {path: [mode, content.hex()] for path, (mode, content) in files.items()},
        "recipe": recipe.hex(),
        "version": VERSION,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


def write_tar(path: Path, files: dict[str, tuple[int, bytes]]) -> None:
    """An archive of the files, owned by root whoever made it."""
    path.write_bytes(tree.archive(files))


@contextmanager
def _exchange_folder() -> Iterator[Path]:
    """A folder that mmdebstrap's mapped root can write, below one whose name nobody else can list."""
    with tempfile.TemporaryDirectory(prefix="nfsha-lab-", dir="/var/tmp", ignore_cleanup_errors=True) as outer:
        os.chmod(outer, 0o711)
        inner = Path(outer) / secrets.token_hex(8)
        inner.mkdir()
        inner.chmod(0o777)
        yield inner


def mirror(release: str) -> tuple[str, ...]:
    """What mmdebstrap is told of where a release is: NFSHA_LAB_MIRROR, or what it does not know by itself."""
    told = os.environ.get("NFSHA_LAB_MIRROR") or RELEASES[release]
    return (told,) if told else ()


def _mmdebstrap(release: str, more: tuple[str, ...], work: Path, log: Path) -> None:
    tar = work / "guest.tar"
    write_tar(tar, guest_files())
    recipe = work / "recipe.sh"
    shutil.copy(RECIPE, recipe)
    for path in (tar, recipe):
        path.chmod(0o755)
    packages = " ".join((*archive.PACKAGES, *more))
    # fmt: off
    process.run(
        [
            "mmdebstrap",
            "--mode=root" if os.geteuid() == 0 else "--mode=unshare",
            "--variant=minbase",
            "--format=null",
            "--aptopt=Acquire::Languages \"none\"",
            "--aptopt=Apt::Install-Recommends \"false\"",
            f"--include={','.join(BASE_PACKAGES)}",
            f"--essential-hook=tar-in {tar} /",
            f"--customize-hook=sh {recipe} \"$1\" {work} {DISK_SIZE} {archive.FOLDER} {packages}",
            release, "/dev/null", *mirror(release),
        ],
        timeout=BUILD_SECONDS, log=log, env={**os.environ, "PATH": SEARCH_PATH, "TMPDIR": "/var/tmp"},
    )
    # fmt: on


def _build(folders: Folders, release: str, more: tuple[str, ...], key: str) -> Image:
    final = folders.images / f"{release}-{key}"
    log = folders.images / f"{release}-{key}.log"
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=folders.images) as making, _exchange_folder() as work:
        folder = Path(making) / "image"
        folder.mkdir()
        with step(f"making the {release} image with mmdebstrap (log: {log})"):
            _mmdebstrap(release, more, work, log)
        with step("packing the image"):
            process.run(["qemu-img", "convert", "-O", "qcow2", work / "disk.raw", folder / "disk.qcow2"], timeout=300)
        for name in ("initrd", "packages"):
            shutil.copy(work / name, folder / name)
        (folder / "kernel").write_bytes(unpacked((work / "vmlinuz").read_bytes()))
        folder.rename(final)
    return Image(final, key)


def _discard_unfinished(folders: Folders) -> None:
    """Who was killed left half a gigabyte; the lock says that nobody else makes one now."""
    for left in folders.images.glob(f"{_MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)


def _discard_old(folders: Folders, keep: Path) -> None:
    """Images are half a gigabyte each: only the newest stay, never one whose overlays may be in use."""
    made = [path for path in folders.images.iterdir() if path.is_dir() and (path / "disk.qcow2").exists()]
    in_use = {link.resolve() for link in folders.cache.glob("run/*/image")}
    old = sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)[IMAGES_KEPT:]
    for path in old:
        if path != keep and path.resolve() not in in_use:
            say(f"removing the old image {path.name}")
            shutil.rmtree(path, ignore_errors=True)
            path.with_name(f"{path.name}.log").unlink(missing_ok=True)


def find_or_make(folders: Folders, release: str, more: tuple[str, ...] = ()) -> Image:
    """The image of a Debian release, made now (one to three minutes) if it is not in the cache.

    `more` names packages that apt shall find in the machines besides those of archive.PACKAGES: another image.
    Raises LabError for a release the laboratory does not know and for a failed mmdebstrap.
    """
    if release not in RELEASES:
        raise LabError(f"release {release!r} is not known to the laboratory; it has {', '.join(RELEASES)}")
    folders.make()
    key = image_key(release, guest_files(), RECIPE.read_bytes(), more)
    image = Image(folders.images / f"{release}-{key}", key)
    with (folders.images / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.disk.exists():
            _discard_unfinished(folders)
            image = _build(folders, release, more, key)
            _discard_old(folders, image.folder)
    return image
