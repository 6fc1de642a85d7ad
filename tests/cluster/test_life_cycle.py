"""Packages come, are upgraded and go on machines of a cluster that serves: nfsha's own, and those of Debian under it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nfsha_config.site import load as site_load
from nfsha_lab import updates
from nfsha_lab.cluster import NODES, Cluster
from nfsha_lab.install import PACKAGES, find_or_build
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine
from nfsha_lab.topology import REPOSITORY_ADDRESS, SPARE
from tests.reader import LAB, Reader, assert_dpkg_is_done, assert_unasked, renew, typed

pytestmark = pytest.mark.long

NODE = PACKAGES[NODES[0]]
UPGRADE = f"apt-get update && apt-get install --only-upgrade {NODE}"
BUILD = f"scripts/build-repo --site site.toml --out repo --uri http://{REPOSITORY_ADDRESS}/"
_NEWEST = f"$(apt-cache madison {NODE} | awk '{{ print $3; exit }}')"
DOWNGRADE = f"apt-get update && apt-get install --allow-downgrades {NODE}={_NEWEST}"
# Debian's, which a node or the target needs. Those of one source come together: one depends on the other's very version,
# and apt would take it away, and nfsha-node with it, rather than leave it behind.
UPGRADES = ("nfs-common nfs-kernel-server", "ocfs2-tools", "open-iscsi", "keepalived")
ON_NODES = " ".join(UPGRADES).split()
ON_TARGET = ("tgt",)
_SESSION = "ls -d /sys/class/iscsi_session/session*"
_IN_THE_BACKGROUND = "systemd-run --quiet --unit=apt --collect --setenv=DEBIAN_FRONTEND=noninteractive"
# The shell that runs this is not what it looks for.
_CONFIGURES = "pgrep --full '[n]fsha configure' >/dev/null"
_THIRD_READY = 900.0


def lease(node: Machine) -> str:
    return node.succeed("cat /proc/fs/nfsd/nfsv4leasetime").strip()


def test_a_revision_comes_and_goes(cluster: Cluster, load: Load, reader: Reader) -> None:
    """Standby first; no upgrade moves the service, and what needs that says so; what would be an outage is refused."""
    first = reader.look()
    second = cluster.other(first)
    with cluster.one_server_at_most():
        reader.host.edit_site("[timings]\nnfs_lease = 20\n")
        reader.roll_out([])
        for node in (second, first):
            said = typed(node, UPGRADE)
            assert "timings.nfs_lease: 15 -> 20: switchover" in said and "nfsha switchover" in said
            assert_unasked(node, NODE)
            load.wait_until_writes()
            assert cluster.settle() is first
        assert lease(first) == "15"
        first.succeed("nfsha switchover")
        load.wait_until_writes()
        assert lease(second) == "20"

        reader.host.write_site(site_load.LAB.read_text(encoding="utf-8"))
        reader.host.run(BUILD)
        reader.publish()
        for node in (first, second):
            assert "timings.nfs_lease: 20 -> 15: switchover" in typed(node, DOWNGRADE)
            assert_unasked(node, NODE)
            load.wait_until_writes()
            assert cluster.settle() is second
        first.succeed("nfsha switchover")
        load.wait_until_writes()
        assert lease(first) == "15"

        reader.host.edit_site("[cluster]\nrevision = 2\n[timings]\no2cb_threshold = 20\n")
        reader.roll_out([])
        said = typed(second, UPGRADE)
        assert "timings.o2cb_threshold: 16 -> 20: is an outage, and this node is in the cluster; nothing was changed" in said
        assert f"is installed, but not set up, for the reason above. Then run: dpkg-reconfigure {NODE}" in said
        assert_unasked(second, NODE)
        second.succeed("grep -x 'O2CB_HEARTBEAT_THRESHOLD=16' /etc/default/o2cb")
        load.wait_until_writes()
        assert cluster.settle() is first
    cluster.assert_healthy()
    load.stop_and_check()


def test_the_package_goes_and_comes_back(cluster: Cluster, load: Load, reader: Reader) -> None:
    """Removed from the standby, and then from the serving node; installed anew without an answer, and once more over itself."""
    first = reader.look()
    second = cluster.other(first)
    with cluster.one_server_at_most():
        for node, heir in ((second, first), (first, second)):
            typed(node, f"apt-get remove {NODE}")
            load.wait_until_writes()
            assert cluster.serving() is heir
            node.fail("grep ' ocfs2 ' /proc/mounts")
            node.fail(_SESSION)
            node.fail("systemctl is-active keepalived nfs-server nfsha-node.target")
            typed(node, f"apt-get install {NODE}")
            assert cluster.settle() is heir
        for node in (first, second):
            typed(node, f"apt-get install --reinstall {NODE} python3-nfsha-config")
            load.wait_until_writes()
            assert cluster.settle() is second
    cluster.assert_healthy()
    load.stop_and_check()


def test_updates_of_debian(cluster: Cluster, load: Load, reader: Reader, tmp_path: Path) -> None:
    """Package by package on the standby and on the serving node, then the target and the client by `apt upgrade`."""
    _offer_updates(cluster, tmp_path)
    active = reader.look()
    standby = cluster.other(active)
    before = {node.name: (node.boot_id(), node.succeed(_SESSION)) for node in cluster.nodes}
    with cluster.one_server_at_most():
        for packages in UPGRADES:
            _update(standby, packages)
            # What the serving node's kernel remembers of its exports would hide that there are none.
            active.succeed("exportfs -f")
            load.wait_until_writes()
            assert cluster.settle() is active
        for packages in UPGRADES:
            _update(active, packages)
            load.wait_until_writes()
            # keepalived is the last, and its restart hands the service over.
            assert cluster.settle() is (standby if packages == "keepalived" else active)
        assert before == {node.name: (node.boot_id(), node.succeed(_SESSION)) for node in cluster.nodes}
        for node in cluster.nodes:
            assert typed(node, "nfsha plan nfsha-node") in ("", "/etc/default/o2cb\n")
        for machine in (cluster.target, cluster.client):
            typed(machine, "apt-get upgrade")
            assert_dpkg_is_done(machine)
            load.wait_until_writes()
        # Its package leaves a target alone that is in use.
        assert updates.MARK in cluster.target.succeed("dpkg-query --show tgt")
        cluster.target.succeed("systemctl restart tgt", 300)
        load.wait_until_writes()
        assert cluster.settle() is standby
        assert [node.boot_id() for node in cluster.nodes] == [before[node.name][0] for node in cluster.nodes]
    cluster.assert_healthy()
    load.stop_and_check()


def _offer_updates(cluster: Cluster, folder: Path) -> None:
    served = folder / "served"
    served.mkdir()
    repository = find_or_build(cluster.lab.folders).archive
    updates.publish(cluster.lab, (*ON_NODES, *ON_TARGET), repository, served)
    for machine in cluster.lab.all:
        updates.offer(machine)


def _update(machine: Machine, packages: str) -> None:
    typed(machine, f"apt-get install --only-upgrade {packages}")
    _assert_updated(machine, packages.split())
    assert_unasked(machine, NODE)


def _assert_updated(machine: Machine, packages: Sequence[str]) -> None:
    for package in packages:
        assert updates.MARK in machine.succeed(f"dpkg-query --show {package}")


def test_a_configuration_is_interrupted(cluster: Cluster, load: Load, reader: Reader) -> None:
    """dpkg is killed in the middle of it, and then the machine's power goes; both times `dpkg --configure -a` goes on."""
    active = reader.look()
    standby = cluster.other(active)
    with cluster.one_server_at_most():
        for power_goes in (False, True):
            standby.succeed(f"{_IN_THE_BACKGROUND} apt-get install --reinstall --yes {NODE}")
            standby.succeed(f"until {_CONFIGURES}; do sleep 0.1; done", 900)
            if power_goes:
                standby.crash()
                standby.start()
                standby.wait_until_booted()
            else:
                standby.succeed("systemctl kill --signal=KILL apt")
                standby.wait_until_fails("systemctl is-active apt")
            assert "half-configured" in standby.succeed(f"dpkg --status {NODE}")
            load.wait_until_writes()
            assert cluster.settle() is active
            typed(standby, "dpkg --configure --pending")
            assert_dpkg_is_done(standby)
            assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()


def test_a_dead_node_is_replaced(cluster: Cluster, load: Load, reader: Reader) -> None:
    dead = reader.look()
    heir = cluster.other(dead)
    with cluster.one_server_at_most():
        dead.crash()
        load.wait_until_writes()
        assert cluster.serving() is heir
        renew(dead, "root")
        reader.install(dead)
        assert cluster.settle() is heir
        dead.succeed("nfsha switchover")
        load.wait_until_writes()
        assert cluster.settle() is dead
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


def test_add_a_node(cluster: Cluster, load: Load, reader: Reader) -> None:
    first = cluster.nodes[0]
    lun = {"LUN-part": f"{LAB.lun_path}-part"}
    reader.call(node=first)
    with cluster.lab.fifth() as third, reader.walk("docs/howto/add-a-node.md", lun) as page:
        assert third.name == SPARE.name
        page.step("edit")
        reader.roll_out([])
        page.step("nodes", "node", "nodes", "disk", "nodes")
        reader.call(new=third)
        reader.bring(third)
        page.step("new")
        first.wait_until_succeeds(f"nfsha status | grep -q '{third.name}  stands by'", _THIRD_READY)
        page.step("node")
        cluster.nodes.append(third)
        with cluster.one_server_at_most():
            _serve_and_die(cluster, load, third)
        cluster.nodes.remove(third)
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


def _serve_and_die(cluster: Cluster, load: Load, third: Machine) -> None:
    """The third node serves when the others are in maintenance; it crashes, and one of them does again."""
    others = [node for node in cluster.nodes if node is not third]
    active = cluster.serving()
    others.sort(key=lambda node: node is active)
    for node in others:
        node.succeed("nfsha maintenance on")
    load.wait_until_writes()
    assert cluster.serving() is third
    for node in others:
        node.succeed("nfsha maintenance off")
        node.wait_until_succeeds(f"nfsha status | grep -q '{node.name}  stands by'")
    third.crash()
    load.wait_until_writes()
    assert cluster.serving() in others


def test_install_updates(cluster: Cluster, load: Load, reader: Reader, tmp_path: Path) -> None:
    """The page, with all updates at once."""
    _offer_updates(cluster, tmp_path)
    first = reader.look()
    with cluster.one_server_at_most(), reader.walk("docs/howto/install-updates.md") as page:
        page.step("standby")
        assert cluster.settle() is first
        page.step("serving", "serving", "disk", "client")
        load.wait_until_writes()
        assert cluster.settle() is cluster.other(first)
        page.step("standby")
    for machine, packages in ((cluster.target, ON_TARGET), *((node, ON_NODES) for node in cluster.nodes)):
        _assert_updated(machine, packages)
    cluster.assert_healthy()
    load.stop_and_check()
