"""An admin changes the site of a running cluster: what each change costs is told, and an outage is never made by mistake."""

from __future__ import annotations

import pytest

from nfsha_config.site import load as site_load
from nfsha_lab.cluster import Cluster
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine

pytestmark = pytest.mark.long
LAB = site_load.load_file(site_load.LAB)


def test_a_change_at_each_cost(cluster: Cluster, load: Load) -> None:
    first = cluster.serving()
    second = cluster.other(first)
    with cluster.one_server_at_most():
        # Not on one node alone.
        cluster.edit(second, "timings.nfs_lease", 20)
        refused = second.run("nfsha configure nfsha-node")
        assert refused.status == 1
        assert f"{first.name}: timings.nfs_lease = 20: is 15 there" in refused.err
        # A new revision may, node by node; but not what no two nodes may have otherwise.
        cluster.edit(second, "cluster.revision", 2)
        cluster.edit(second, "network.router_id", 77)
        refused = second.run("nfsha configure nfsha-node")
        assert refused.status == 1
        assert "network.router_id: 101 -> 77: is an outage" in refused.err
        assert "virtual_router_id 101" in second.succeed("cat /etc/keepalived/keepalived.conf")
        for node in (second, first):
            cluster.edit(node, "network.router_id", 101)
            cluster.edit(node, "cluster.revision", 2)
            cluster.edit(node, "timings.nfs_lease", 20)
            told = node.run("nfsha configure nfsha-node")
            assert told.status == 0
            assert "timings.nfs_lease: 15 -> 20: switchover" in told.err
        load.wait_until_writes()
        assert cluster.serving() is first
        assert first.succeed("cat /proc/fs/nfsd/nfsv4leasetime").strip() == "15"
        first.succeed("nfsha switchover")
        load.wait_until_writes()
        assert second.succeed("cat /proc/fs/nfsd/nfsv4leasetime").strip() == "20"
    cluster.assert_healthy()
    load.stop_and_check()


def test_keepalived_reads_its_file_anew(cluster: Cluster, load: Load) -> None:
    """Ten times while it serves: nothing moves, and it stays in front of all ordinary programs."""
    active = cluster.serving()
    processes = "cat /run/keepalived.pid; pgrep --parent $(cat /run/keepalived.pid)"
    before = active.succeed(processes)
    with cluster.one_server_at_most():
        for number in range(1, 11):
            active.succeed("systemctl reload keepalived")
            active.wait_until_succeeds(f"[ $(journalctl --boot --unit keepalived | grep -c 'Reload complete') -ge {number} ]", 30)
            load.wait_until_writes()
        assert active.succeed(processes) == before
        for pid in before.split():
            assert "SCHED_RR" in active.succeed(f"chrt --pid {pid}")
        assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()


def test_an_answer_at_each_cost(cluster: Cluster, load: Load) -> None:
    """By debconf, as a person answers it with an editor."""
    first = cluster.serving()
    second = cluster.other(first)
    with cluster.one_server_at_most():
        # Not on one node alone.
        said = _answer(second, "timings-nfs-lease", "20")
        assert f"{first.name}: timings.nfs_lease = 20: is 15 there" in said
        assert "is installed, but not set up, for the reason above. Then run: dpkg-reconfigure nfsha-node" in said
        second.fail("grep nfs_lease /etc/nfsha/site.toml")
        # What was refused is shown once more, and taken back.
        assert "not set up" not in _answer(second, "timings-nfs-lease", "15")
        cluster.edit(second, "cluster.revision", 2)
        said = _answer(second, "timings-nfs-lease", "20")
        assert "timings.nfs_lease: 15 -> 20: switchover" in said and "not set up" not in said
        assert "not set up" not in _answer(second, "timings-nfs-lease", "15")
        said = _answer(second, "network-router-id", "77")
        assert "network.router_id: 101 -> 77: is an outage, and this node is in the cluster; nothing was changed" in said
        assert "virtual_router_id 101" in second.succeed("cat /etc/keepalived/keepalived.conf")
        assert "not set up" not in _answer(second, "network-router-id", "101")
        # This one may differ between nodes.
        said = _answer(second, "network-witnesses", str(LAB.storage.portal.address))
        assert "network.witnesses: none -> " in said and ": reload" in said
        second.succeed("grep -q nfsha_witness /etc/keepalived/keepalived.conf")
        load.wait_until_writes()
        assert cluster.settle() is first
    cluster.assert_healthy()
    load.stop_and_check()


def _answer(node: Machine, question: str, answer: str) -> str:
    """What is said when somebody reconfigures and answers this one question otherwise."""
    line = f"nfsha-node/{question}="
    edit = f"""sed -i 's|^{line}.*|{line}"{answer}"|' "$1"\n"""
    node.write_file("/root/person", f"#!/bin/sh\n{edit}", 0o755)
    command = "DEBIAN_FRONTEND=editor DEBIAN_PRIORITY=low EDITOR=/root/person dpkg-reconfigure nfsha-node"
    # debconf asks nobody without a terminal.
    return node.succeed(f"script --quiet --return --command '{command}' /dev/null 2>&1", 300)
