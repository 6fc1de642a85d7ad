"""The LUN is prepared once, by the first node, with consent for it, when nothing is on it; the others wait."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

import pytest

from nfsha_config.host import iscsi, lun, machine, storage
from nfsha_config.host.lun import Content
from nfsha_config.host.machine import Machine
from nfsha_config.host.volume import slots
from nfsha_config.paths import Paths
from nfsha_config.problems import CommandFailed, Refused
from nfsha_config.run import run
from nfsha_config.site import load, secrets
from nfsha_config.site.model import Site
from nfsha_config.site.secrets import Secrets

from . import disks

SITE = disks.site()


class Cluster:
    """One machine at the LUN, for which an image stands, and a file for each partition.

    o2cb has no kernel here to tell; all else is the real program.
    """

    def __init__(self, paths: Paths, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths, self.image, self.patch = paths, image, monkeypatch
        self.ran: list[str] = []
        self.sleeps: list[Callable[[], object]] = []
        self.now = 0.0
        self.now = 0.0
        text = load.LAB.read_text().replace('size = "1GiB"', f'size = "{disks.SIZE}"', 1)
        paths.site.parent.mkdir(parents=True)
        paths.site.write_text(text.replace('"64MiB"', f'"{disks.STATE}"'))
        secrets.write_new(paths.secrets, Secrets("the-nodes-own-secret", "the-targets-own-secret"))
        monkeypatch.setattr(Site, "lun_path", property(lambda site: str(image)))
        monkeypatch.setattr(iscsi, "login", lambda *args: None)
        monkeypatch.setattr(storage, "run", self._run)
        monkeypatch.setattr(storage, "slots", self._slots)
        monkeypatch.setattr(storage, "time", SimpleNamespace(sleep=self._sleep, monotonic=lambda: self.now))
        lun.partition_device(image, 2).touch()

    def _run(self, argv: Sequence[str | Path], **keywords: Any) -> CompletedProcess[str]:
        words = [str(word) for word in argv]
        self.ran.append(words[0])
        if words[0] == "o2cb":
            assert words[1:] in (["register-cluster", "ocfs2"], ["unregister-cluster", "ocfs2"])
        elif words[0] == "mkfs.ocfs2":
            assert "-F" not in words and "-x" not in words
            part = Path(words[-1])
            with part.open("wb") as file:
                file.truncate(disks.STATE if part.name.endswith("-part1") else disks.DATA)
            run(argv, **keywords)
            disks.put(part, self.image)
        else:
            return run(argv, **keywords)
        return CompletedProcess(words, 0, "", "")

    def _slots(self, part: Path) -> int:
        disks.get(part, self.image)
        return slots(part)

    def _sleep(self, seconds: float) -> None:
        assert self.sleeps, "waits for ever"
        self.now += 20.0
        self.sleeps.pop(0)()

    def start(self, name: str, consent: str = "") -> None:
        """Run nfsha-storage.service as a node."""
        self.patch.setattr(os, "uname", lambda: os.uname_result(("Linux", name, "6.1", "", "x86_64")))
        machine.save(Machine(name, consent), self.paths)
        storage.main(self.paths)

    @property
    def content(self) -> Content:
        """What is on the LUN."""
        return lun.examine(self.image, SITE).content


@pytest.fixture
def cluster(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A machine and a blank LUN."""
    return Cluster(Paths(tmp_path / "root"), image, monkeypatch)


def test_first_node_prepares_with_consent_and_once(cluster: Cluster) -> None:
    cluster.start("nfs1", str(cluster.image))
    assert cluster.content is Content.READY
    assert cluster.ran == ["sfdisk", "o2cb", "mkfs.ocfs2", "mkfs.ocfs2", "o2cb"]
    assert machine.load(cluster.paths).consent == ""
    before = disks.digest(cluster.image)
    cluster.start("nfs1", str(cluster.image))
    cluster.start("nfs2", str(cluster.image))
    assert machine.load(cluster.paths).consent == "", "it would be good for a blank disk that comes later"
    assert cluster.ran == ["sfdisk", "o2cb", "mkfs.ocfs2", "mkfs.ocfs2", "o2cb"]
    assert disks.digest(cluster.image) == before


def test_the_session_stays_while_a_volume_is_mounted_and_ends_at_the_portal_where_it_began(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(iscsi, "logout", lambda site: ended.append(str(site.storage.portal)))
    paths, begun = cluster.paths, cluster.paths.site.read_text()
    paths.site.write_text(begun.replace("192.168.50.20", "192.168.50.21"))
    mounts = paths.at("/proc/self/mounts")
    mounts.parent.mkdir(parents=True)
    mounts.write_text("/dev/sda2 /srv/nfs4/data ocfs2 rw 0 0\n")
    with pytest.raises(Refused, match=r"^/srv/nfs4/data: still mounted; .*\(fuser -vm /srv/nfs4/data\)"):
        storage.logout(paths)
    mounts.write_text("")
    storage.logout(paths)
    paths.configured_site("nfsha-node").parent.mkdir(parents=True)
    paths.configured_site("nfsha-node").write_text(begun)
    storage.logout(paths)
    assert ended == ["192.168.50.21:3260", "192.168.50.20:3260"]


def test_a_node_without_a_slot_is_told_how_it_gets_one(cluster: Cluster) -> None:
    cluster.start("nfs1", str(cluster.image))
    text = cluster.paths.site.read_text().replace("[network]", '[[node]]\nname = "nfs3"\naddress = "192.168.50.13"\n\n[network]')
    cluster.paths.site.write_text(text)
    for name in ("nfs1", "nfs2"):
        cluster.start(name)
    parts = ", ".join(str(lun.partition_device(cluster.image, number)) for number in (1, 2))
    with pytest.raises(Refused, match=f"^{re.escape(parts)}: .*tunefs.ocfs2 --yes --node-slots 3 DEVICE"):
        cluster.start("nfs3")


def test_what_was_begun_is_finished(cluster: Cluster) -> None:
    disks.partition(cluster.image, SITE)
    disks.make_volume(cluster.image, SITE, 1, str(SITE.state_uuid))
    first = disks.shell('dd if="$image" bs=1M count=32 status=none | sha256sum', image=cluster.image)
    cluster.start("nfs1", str(cluster.image))
    assert cluster.ran == ["o2cb", "mkfs.ocfs2", "o2cb"]
    assert cluster.content is Content.READY
    assert disks.shell('dd if="$image" bs=1M count=32 status=none | sha256sum', image=cluster.image) == first


@pytest.mark.parametrize("consent", ["", "/dev/disk/by-path/another", "true"])
def test_no_formatting_without_consent_for_this_device(consent: str, cluster: Cluster) -> None:
    before = disks.digest(cluster.image)
    said = (
        f"{cluster.image} is blank, and nobody has consented to format it; "
        "to consent: dpkg-reconfigure nfsha-node, which goes on from here"
    )
    with pytest.raises(Refused, match=f"^{re.escape(said)}$"):
        cluster.start("nfs1", consent)
    assert disks.digest(cluster.image) == before
    assert cluster.ran == []
    assert machine.load(cluster.paths).consent == consent


@pytest.mark.parametrize(
    "make",
    [
        lambda image: disks.shell('mke2fs -q -F "$image"', image=image),
        lambda image: disks.poke(image, -1, b"\1"),
        lambda image: disks.shell('echo label:gpt | sfdisk -q "$image"', image=image),
        lambda image: disks.partition(image, disks.site(cluster="other")),
    ],
    ids=["ext2", "a byte at the end", "a partition table", "another site"],
)
@pytest.mark.parametrize("node", ["nfs1", "nfs2"])
def test_foreign_content_is_refused_and_stays(make: Callable[[Path], object], node: str, cluster: Cluster) -> None:
    make(cluster.image)
    before = disks.digest(cluster.image)
    cluster.sleeps = [lambda: None, lambda: None]
    anew = ", then consent anew: dpkg-reconfigure nfsha-node" if node == "nfs1" else ""
    said = r" holds .*; nfsha neither formats nor mounts it\. If it may be lost, and only then: .* blkdiscard --zeroout [^,]*"
    with pytest.raises(Refused, match=f"{said}{anew}$"):
        cluster.start(node, str(cluster.image))
    assert disks.digest(cluster.image) == before
    assert cluster.ran == []
    assert len(cluster.sleeps) == (2 if node == "nfs1" else 0)


def test_a_consent_is_gone_when_something_was_found(cluster: Cluster) -> None:
    """Else the next attempt would format what its owner has erased for his own use."""
    disks.poke(cluster.image, -1, b"\1")
    with pytest.raises(Refused, match="unknown data"):
        cluster.start("nfs1", str(cluster.image))
    assert machine.load(cluster.paths).consent == ""


def test_second_node_waits_while_the_first_works(cluster: Cluster) -> None:
    """Also through the moments when a volume is half made, and so is nothing that anyone could name."""
    cluster.sleeps = [
        lambda: disks.partition(cluster.image, SITE),
        lambda: disks.poke(cluster.image, disks.MIB + 5 * disks.MIB, b"journal"),
        lambda: disks.make_volume(cluster.image, SITE, 1, str(SITE.state_uuid)),
        lambda: disks.make_volume(cluster.image, SITE, 2, str(SITE.data_uuid)),
    ]
    cluster.start("nfs2", str(cluster.image))
    assert cluster.sleeps == []
    assert cluster.ran == []


def test_second_node_never_formats(cluster: Cluster) -> None:
    class Enough(Exception):
        pass

    def stop() -> None:
        raise Enough

    cluster.sleeps = [lambda: None, stop]
    before = disks.digest(cluster.image)
    with pytest.raises(Enough):
        cluster.start("nfs2", str(cluster.image))
    assert disks.digest(cluster.image) == before


def test_a_failure_half_way_keeps_the_consent(cluster: Cluster) -> None:
    """So that the next start can go on; what is there by then is looked at anew."""

    def broken(argv: Sequence[str | Path], **keywords: Any) -> CompletedProcess[str]:
        if argv[0] == "mkfs.ocfs2":
            raise CommandFailed("mkfs.ocfs2")
        return cluster._run(argv, **keywords)

    with cluster.patch.context() as patch:
        patch.setattr(storage, "run", broken)
        with pytest.raises(CommandFailed):
            cluster.start("nfs1", str(cluster.image))
    assert lun.examine(cluster.image, SITE).blank == (1, 2)
    assert machine.load(cluster.paths).consent == str(cluster.image)
    cluster.start("nfs1", str(cluster.image))
    assert cluster.content is Content.READY


def test_the_real_mkfs_asks_the_cluster_about_a_volume_that_is_there(cluster: Cluster) -> None:
    """It gets no -F, so it insists on the cluster, and none is here."""
    cluster.patch.setattr(storage, "run", run)
    storage._mkfs(cluster.image, SITE, "first", str(SITE.state_uuid))
    before = disks.digest(cluster.image)
    with pytest.raises(CommandFailed, match=r"mkfs\.ocfs2: Unable to access cluster service"):
        storage._mkfs(cluster.image, SITE, "second", str(SITE.data_uuid))
    assert disks.digest(cluster.image) == before
