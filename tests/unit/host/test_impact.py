"""What a new site costs is derived from what becomes of each file, told, and refused where it would be an outage."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nfsha_config import render
from nfsha_config.host import impact, install, o2cb
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused
from nfsha_config.site import load
from nfsha_config.site.difference import differences, worst
from nfsha_config.site.model import Site
from nfsha_config.site.secrets import Secrets
from nfsha_config.site.settings import COSTS, SETTINGS, Cost
from tests.unit.site.texts import changed

from . import disks
from .standins import program

LAB = load.LAB.read_text(encoding="utf-8")
SITE = load.load(LAB, "lab")
NODE = "nfsha-node"
CHAP = Secrets("node-secret-0123456789", "target-secret-0123456789")
OTHER: dict[str, object] = {
    "cluster.name": "other", "cluster.revision": 2, "node.name": "nfs9", "node.address": "192.168.50.19",
    "network.virtual_address": "192.168.50.17/24", "network.interface": "eth9", "network.router_id": 77,
    "network.fail_back": "automatic", "network.witnesses": ["192.168.50.1"], "storage.portal": "192.168.50.21:3260",
    "storage.iqn": "iqn.2018-08.org.example:other", "storage.device": "/dev/disk/by-id/other", "storage.size": "2GiB",
    "storage.state_size": "96MiB", "storage.node_user": "other-node", "storage.target_user": "other-target",
    "export.clients": ["other"], "export.options": ["ro", "sync"],
    "export.fsid": "11111111-6a63-4d7c-9a53-7a0d6f2b8c11", "client.mount_point": "/other", "timings.vrrp_interval": 0.5,
    "timings.o2cb_threshold": 31, "timings.fence_after": 5, "timings.o2cb_idle": 20000, "timings.o2cb_keepalive": 3000,
    "timings.o2cb_reconnect": 3000, "timings.nfs_lease": 30, "timings.nfs_grace": 60,
}  # fmt: skip
TAKEN: dict[str, Cost] = {
    # install.tell_systemd has these read anew.
    "/etc/exports.d/": "reload", "/etc/keepalived/": "reload", "/etc/nfsha/": "reload",
    # rpc.nfsd(8) reads it when the server starts.
    "/etc/nfs.conf.d/": "switchover",
    # These are read when the cluster, the session or a mount is made, and must fit the other nodes or the target then.
    "/etc/ocfs2/": "outage", "/etc/default/o2cb": "outage", "/etc/systemd/system/": "outage", "/run/nfsha/": "outage",
    "/etc/tgt/": "outage",
}  # fmt: skip
DEARER = {
    "cluster.name": "the volumes are known by it",
    "storage.iqn": "the volumes are known by it",
    "network.virtual_address": "clients hold connections to the old one",
    "network.router_id": "nodes with two numbers hear nothing of each other, and both claim the address",
    "network.interface": "keepalived's reload takes the address off the old interface",
    "export.fsid": "it stands in the file handles that clients hold",
    "storage.size": "a LUN of another size is refused when the session is made",
    "storage.state_size": "the LUN is partitioned once",
}


def files(site: Site) -> dict[str, str]:
    """What the first node and the target hold."""
    found = {}
    for host in (site.nodes[0].name, "target"):
        for file in render.files(host, site, CHAP):
            if not file.path.startswith("/usr/"):
                found[file.path] = file.text
    return {**found, "/etc/default/o2cb": str(o2cb.values(site))}


@pytest.mark.parametrize("key", [setting.key for setting in SETTINGS if setting.key != "export.path"])
def test_a_cost_is_what_becomes_of_the_files(key: str) -> None:
    """Of each setting that can have another value; export.path has one alone."""
    site = changed({key: OTHER[key]})
    old, new = files(SITE), files(site)
    touched = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    costs = [next(cost for place, cost in TAKEN.items() if path.startswith(place)) for path in touched]
    from_files = max(costs, key=COSTS.index, default="reload")
    told = worst(differences(SITE, site))
    assert COSTS.index(told) >= COSTS.index(from_files)
    assert (told != from_files) == (key in DEARER)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A node that was configured with the laboratory's site."""
    paths = Paths(tmp_path)
    paths.configured_site(NODE).parent.mkdir(parents=True)
    paths.configured_site(NODE).write_text(LAB)
    return paths


def mount(paths: Paths) -> None:
    paths.at("/proc/self").mkdir(parents=True)
    paths.at("/proc/self/mounts").write_text("/dev/sda1 /var/lib/nfs ocfs2 rw 0 0\n")


def test_each_change_and_each_cost_is_told(paths: Paths) -> None:
    found = impact.of(NODE, changed({"network.router_id": 77, "timings.nfs_lease": 30, "timings.nfs_grace": 60}), paths)
    assert found.lines == [
        "network.router_id: 101 -> 77: outage",
        "timings.nfs_lease: 15 -> 30: switchover",
        "timings.nfs_grace: 90 -> 60: switchover",
        "switchover: a node takes it up when it begins to serve: configure all nodes, then run `nfsha switchover`",
        "outage: no node may run without it while another one has it: stop all, configure all, start all",
    ]
    assert impact.of(NODE, SITE, paths).lines == []


def test_without_a_record_the_file_is_what_counts(paths: Paths) -> None:
    paths.configured_site(NODE).unlink()
    other = changed({"network.router_id": 77})
    assert impact.of(NODE, other, paths).lines == []
    paths.site.parent.mkdir(parents=True)
    paths.site.write_text(LAB)
    assert len(impact.of(NODE, other, paths).lines) == 2
    paths.site.write_text("broken")
    assert impact.of(NODE, other, paths).lines == []


def test_an_outage_is_refused_where_the_volumes_are_mounted(paths: Paths) -> None:
    dear, cheap = changed({"network.router_id": 77}), changed({"timings.nfs_lease": 30, "network.interface": "eth9"})
    impact.of(NODE, dear, paths).allow(NODE, paths)
    mount(paths)
    impact.of(NODE, cheap, paths).allow(NODE, paths)
    with pytest.raises(Refused) as caught:
        impact.of(NODE, dear, paths).allow(NODE, paths)
    assert str(caught.value).splitlines() == [
        "network.router_id: 101 -> 77: is an outage, and this node is in the cluster; nothing was changed",
        "on every node: systemctl stop keepalived.service srv-nfs4-data.mount var-lib-nfs.mount o2cb.service "
        "nfsha-storage.service; then on every node: dpkg-reconfigure nfsha-node",
    ]


def test_another_device_of_the_target_is_no_outage_of_a_node(paths: Paths) -> None:
    other = changed({"storage.device": OTHER["storage.device"]})
    mount(paths)
    found = impact.of(NODE, other, paths)
    found.allow(NODE, paths)
    assert found.lines == []
    paths.configured_site("nfsha-iscsi-target").write_text(LAB)
    assert impact.of("nfsha-iscsi-target", other, paths).lines[0].endswith(": outage")


@pytest.mark.parametrize(("key", "old"), [("cluster.name", "ocfs2"), ("storage.iqn", SITE.storage.iqn)])
def test_what_the_volumes_are_known_by_stays_while_they_are_there(
    key: str, old: str, image: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disks.attached(image) as device:
        before = disks.site(str(device))
        monkeypatch.setattr(Site, "lun_path", property(lambda _: str(device)))
        table, _, name = key.partition(".")
        after = replace(before, **{table: replace(getattr(before, table), **{name: OTHER[key]})})
        found = impact.Impact(before, after, differences(before, after))
        for package in render.PACKAGES:
            found.allow(package, paths)
        disks.partition(image, before)
        found.allow("nfsha-client", paths)
        for package in ("nfsha-iscsi-target", NODE):
            with pytest.raises(Refused) as caught:
                found.allow(package, paths)
            assert str(caught.value).splitlines() == [
                f"{key}: {old} -> {OTHER[key]}: the volumes on {device} are known by the old value; nothing was changed",
                "put the old value back; a cluster with another one begins on a blank disk",
            ]
        other = replace(after, storage=replace(after.storage, device="/dev/another-disk"))
        impact.Impact(before, other, found.changes).allow("nfsha-iscsi-target", paths)


def test_a_mounted_volume_is_not_looked_at(paths: Paths) -> None:
    """Its disk may not answer."""
    mount(paths)
    found = impact.of(NODE, changed({"storage.iqn": OTHER["storage.iqn"], "network.router_id": 77}), paths)
    with pytest.raises(Refused) as caught:
        found.allow(NODE, paths)
    said = str(caught.value)
    assert "storage.iqn: " in said and "the volumes on /dev/disk/by-path/ip-192.168.50.20:3260-iscsi-" in said
    assert "network.router_id: 101 -> 77: is an outage" in said


@pytest.mark.parametrize(
    ("change", "serves", "reloads"),
    [
        ({"network.interface": "eth9"}, True, False),
        ({"network.interface": "eth9"}, False, True),
        ({"network.fail_back": "automatic"}, True, True),
    ],
)
def test_keepalived_of_a_serving_node_is_told_only_what_moves_nothing(
    change: dict[str, object], serves: bool, reloads: bool, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.systemd.mkdir(parents=True)
    program(paths.root, "systemctl", 'echo "$*" >>calls', monkeypatch)
    if serves:
        paths.now("open").parent.mkdir(parents=True, exist_ok=True)
        paths.now("open").touch()
    found = impact.of(NODE, changed(change), paths)
    install.tell_systemd(["/etc/keepalived/keepalived.conf"], paths, interrupt=found.may_interrupt(paths))
    said = (paths.root / "calls").read_text().splitlines()
    assert ("reload keepalived.service" in said) is reloads


@pytest.mark.parametrize("package", ["", NODE])
def test_what_runs_beside_the_service_is_restarted_once(package: str, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """By nfsha, or, where dpkg calls it, by the package's own script."""
    paths.systemd.mkdir(parents=True)
    program(paths.root, "systemctl", 'echo "$*" >>calls', monkeypatch)
    monkeypatch.delenv("DPKG_MAINTSCRIPT_PACKAGE", raising=False)
    if package:
        monkeypatch.setenv("DPKG_MAINTSCRIPT_PACKAGE", package)
    install.tell_systemd([str(paths.site)], paths)
    said = (paths.root / "calls").read_text()
    assert said.count("try-restart") == (0 if package else 1)


@pytest.mark.parametrize(("package", "asked"), [("", "systemctl"), (NODE, "deb-systemd-invoke")])
def test_dpkg_starts_and_reloads_what_policy_rc_d_allows(
    package: str, asked: str, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.systemd.mkdir(parents=True)
    for name in ("systemctl", "deb-systemd-invoke"):
        program(paths.root, name, f'echo "{name} $*" >>calls', monkeypatch)
    monkeypatch.setenv("DPKG_MAINTSCRIPT_PACKAGE", package)
    if not package:
        monkeypatch.delenv("DPKG_MAINTSCRIPT_PACKAGE")
    install.tell_systemd(["/etc/keepalived/keepalived.conf", "/etc/nfsha/gate.nft", "/etc/default/o2cb: keys set"], paths)
    install.automount("/data", paths)
    said = (paths.root / "calls").read_text().splitlines()
    assert [line for line in said if line.partition(" ")[2].startswith(("reload", "try-restart", "start"))] == [
        f"{asked} try-restart o2cb.service", f"{asked} reload keepalived.service", f"{asked} reload nfsha-gate.service",
        f"{asked} start data.automount",
    ]  # fmt: skip
