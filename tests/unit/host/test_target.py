"""The device is given to tgtd only when it is blank or this site's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nfsha_config import render
from nfsha_config.host import target
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, Refused
from nfsha_config.site import load, secrets
from nfsha_config.site.secrets import Secrets

from . import disks
from .standins import program

CHAP = Secrets("the-nodes-own-secret", "the-targets-own-secret")


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A target machine, whose tgtd runs and listens at the portal; test_tgt.py has a real one."""
    program(tmp_path, "systemctl", 'case $* in show*) echo 1 ;; *) echo "$*" >>told ;; esac', monkeypatch)
    program(tmp_path, "tgtadm", 'case $* in *portal*) echo "Portal: 0.0.0.0:3260,1" ;; esac', monkeypatch)
    monkeypatch.setattr(target, "_SETTLE", 0)
    paths = Paths(tmp_path)
    secrets.write_new(paths.secrets, CHAP)
    return paths


def _told(paths: Paths) -> list[str]:
    return paths.at("told").read_text().splitlines()


RELOAD = "--no-block reload tgt.service"


def _conf(paths: Paths) -> Path:
    return paths.at("/etc/tgt/conf.d/nfsha.conf")


def _use(paths: Paths, device: Path) -> str:
    """Make the site name the device; return the text that tgtd should read."""
    text = load.LAB.read_text().replace('size = "1GiB"', f'size = "{disks.SIZE}"', 1)
    text = text.replace("/dev/disk/by-id/virtio-nfsha-lun", str(device)).replace('"64MiB"', f'"{disks.STATE}"')
    paths.site.write_text(text)
    return render.tgt_conf(load.load(text, "test"), CHAP).text


def test_a_blank_device_is_served(paths: Paths, image: Path) -> None:
    with disks.attached(image) as device:
        wanted = _use(paths, device)
        target.main(paths)
        assert _conf(paths).read_text() == wanted
        assert _conf(paths).stat().st_mode & 0o7777 == 0o600
        target.main(paths)
    assert _told(paths) == [RELOAD]


def test_the_sites_own_volumes_are_served(paths: Paths, ready: Path) -> None:
    with disks.attached(ready) as device:
        _use(paths, device)
        target.main(paths)
    assert _conf(paths).exists()


def test_a_foreign_device_is_not_served_and_no_longer(paths: Paths, image: Path) -> None:
    with disks.attached(image) as device:
        _use(paths, device)
        target.main(paths)
        disks.shell('mke2fs -q -F -L keep -U 11111111-2222-3333-4444-555555555555 "$device"', device=device)
        before = disks.digest(image, device)
        with pytest.raises(Refused) as caught:
            target.main(paths)
        assert str(caught.value) == (
            f"{device} holds ext2 (LABEL keep, UUID 11111111-2222-3333-4444-555555555555); it is not served. "
            f"If it may be lost, and only then: wipefs --all {device}, then: blkdiscard --zeroout {device}"
        )
        assert disks.digest(image, device) == before
    assert not _conf(paths).exists()
    assert _told(paths) == [RELOAD, RELOAD]


def test_a_device_with_a_read_error_is_not_served(paths: Paths, image: Path) -> None:
    with disks.attached(image, "--direct-io=on") as device:
        _use(paths, device)
        with image.open("r+b") as file:
            file.truncate(disks.SIZE - 4096)
        with pytest.raises(Refused, match="can't be read"):
            target.main(paths)
    assert not _conf(paths).exists()


def test_a_mounted_device_is_not_served(paths: Paths, image: Path) -> None:
    """Held as a mount holds it (open(2), O_EXCL)."""
    with disks.attached(image) as device:
        _use(paths, device)
        holder = os.open(device, os.O_RDONLY | os.O_EXCL)
        try:
            with pytest.raises(Refused, match=f"{device} is in use on this machine; it is not served. See: lsblk {device}"):
                target.main(paths)
        finally:
            os.close(holder)
    assert not _conf(paths).exists()


@pytest.mark.parametrize(
    ("device", "said"),
    [("/dev/nfsha-is-not-there", "is not there; plug it in"), ("/dev/null", "is no block device; mend storage.device")],
)
def test_no_device(device: str, said: str, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "run", lambda *args, **keywords: None)
    _use(paths, Path(device))
    with pytest.raises(Refused, match=f"{device} {said}"):
        target.main(paths)


def test_the_reason_is_told_even_when_tgtd_can_not_be(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    _conf(paths).parent.mkdir(parents=True)
    _conf(paths).write_text("old")
    paths.site.write_text("[cluster]\n")
    program(paths.root, "systemctl", 'case $* in show*) echo 1 ;; *) exit 1 ;; esac', monkeypatch)
    with pytest.raises(InputError, match=r"cluster\.name: is missing"):
        target.main(paths)
    assert not _conf(paths).exists()
