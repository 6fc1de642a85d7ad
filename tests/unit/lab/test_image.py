"""An image is known by what it was made from."""

import gzip
import lzma
import struct
import tarfile
from pathlib import Path

import pytest

from nfsha_lab import archive, image, topology
from nfsha_lab.folders import Folders
from nfsha_lab.kernel import MAGIC, PAYLOAD, SETUP_SECTORS, unpacked

FILES = {"etc/x": (0o644, b"one")}


def test_key_depends_on_each_ingredient(monkeypatch: pytest.MonkeyPatch) -> None:
    key = image.image_key("bookworm", FILES, b"recipe")
    assert key == image.image_key("bookworm", dict(FILES), b"recipe")
    others = {
        image.image_key("trixie", FILES, b"recipe"),
        image.image_key("bookworm", FILES, b"another"),
        image.image_key("bookworm", {"etc/x": (0o755, b"one")}, b"recipe"),
        image.image_key("bookworm", {"etc/x": (0o644, b"two")}, b"recipe"),
    }
    monkeypatch.setattr(archive, "PACKAGES", ("tgt",))
    others.add(image.image_key("bookworm", FILES, b"recipe"))
    assert len(others | {key}) == 6


def test_guest_tree_is_taken_with_modes() -> None:
    files = image.guest_files()
    assert files["usr/local/sbin/lab-personalise"][0] == 0o755
    assert files["usr/share/lab/init"][0] == 0o755
    assert files["etc/apt/sources.list.d/lab.sources"][0] == 0o644
    assert archive.FOLDER.encode() in files["etc/apt/sources.list.d/lab.sources"][1]
    assert b"192.168.50.10\tnfs\n" in files["etc/hosts"][1]


def test_base_brings_nothing_that_nfsha_must_bring() -> None:
    assert not {"tgt", "open-iscsi", "ocfs2-tools", "keepalived", "nfs-common"} & set(image.BASE_PACKAGES)


def test_tar_belongs_to_root(tmp_path: Path) -> None:
    image.write_tar(tmp_path / "x.tar", FILES)
    with tarfile.open(tmp_path / "x.tar") as tar:
        member = tar.getmember("etc/x")
        assert (member.uid, member.gid, member.mode, member.size) == (0, 0, 0o644, 3)


def bz_image(payload: bytes) -> bytes:
    head = bytearray(1024)
    head[SETUP_SECTORS] = 1
    head[MAGIC : MAGIC + 4] = b"HdrS"
    struct.pack_into("<II", head, PAYLOAD, 16, len(payload))
    return bytes(head) + b"\0" * 16 + payload + b"rest"


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress])
def test_packed_kernel_is_unpacked(pack: object) -> None:
    elf = b"\x7fELF" + b"kernel" * 100
    assert callable(pack)
    assert unpacked(bz_image(pack(elf) + struct.pack("<I", len(elf)))) == elf


def test_other_kernels_stay_as_they_are() -> None:
    odd = bz_image(b"\x02\x21L\x18 packed by something else")
    assert unpacked(odd) == odd
    assert unpacked(b"no kernel" * 200) == b"no kernel" * 200


def test_addresses_are_all_different() -> None:
    assert len({host.address for host in topology.HOSTS.values()}) == 4
    assert topology.HOSTS["client"].mac == "52:54:00:32:00:64"


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = Folders(tmp_path / "cache", "test")
    left = folders.images / "making-killed"
    left.mkdir(parents=True)

    def made(folders: Folders, release: str, more: tuple[str, ...], key: str) -> image.Image:
        assert not left.exists()
        return image.Image(folders.images / f"{release}-{key}", key)

    monkeypatch.setattr(image, "_build", made)
    image.find_or_make(folders, "bookworm")
