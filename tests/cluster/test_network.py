"""The network breaks in one place: at most one node serves, clients go on, and nobody has to do anything."""

from __future__ import annotations

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.load import Load
from nfsha_lab.machine import COMMAND_SECONDS, Machine


@pytest.mark.long
def test_the_serving_node_is_cut_off_from_everything(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    with cluster.one_server_at_most():
        boot = active.boot_id()
        active.block()
        load.wait_until_writes()
        assert cluster.serving() is cluster.other(active)
        # A node that has lost the disk resets itself.
        active.wait_until_up(200, not_boot=boot)
        active.unblock()
        active.wait_until_booted()
        assert cluster.settle() is cluster.other(active)
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


@pytest.mark.long
def test_the_standby_is_cut_off_from_everything(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    standby = cluster.other(active)
    with cluster.one_server_at_most():
        boot = standby.boot_id()
        standby.block()
        standby.wait_until_up(200, not_boot=boot)
        load.wait_until_writes()
        standby.unblock()
        standby.wait_until_booted()
        assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
def test_the_link_between_the_nodes_is_cut(cluster: Cluster, load: Load) -> None:
    """The one that serves goes on, though it has the higher o2cb number here; the other one is fenced."""
    first, second = cluster.nodes
    with cluster.one_server_at_most():
        if cluster.serving() is first:
            first.succeed("nfsha switchover")
        _lose_sight(cluster, load, second, one_way=False)
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
def test_pings_between_the_nodes_are_filtered(cluster: Cluster, load: Load) -> None:
    """As by a firewall that somebody loads one day: all else gets through, and nobody is taken for dead."""
    active = cluster.serving()
    standby = cluster.other(active)
    with cluster.one_server_at_most(), cluster.no_node_resets():
        standby.succeed("nft add table ip firewall && nft 'add chain ip firewall in { type filter hook input priority 0; }'")
        standby.succeed("nft 'add rule ip firewall in icmp type { echo-request, echo-reply } drop'")
        unfit = f"{standby.name}  can't serve: the other node lives and can't be reached"
        active.wait_until_succeeds(f'nfsha status | grep -F "{unfit}"', COMMAND_SECONDS)
        # Longer than it takes to fence a node that is cut off.
        active.succeed("sleep 30")
        load.wait_until_writes()
        assert cluster.serving() is active
        standby.succeed("nft delete table ip firewall")
        assert cluster.settle() is active
    cluster.assert_healthy()
    assert load.stop_and_check().stall("write") < 10


@pytest.mark.long
def test_a_node_boots_while_the_link_is_cut(cluster: Cluster, load: Load) -> None:
    """It can't mount the volumes then, and takes part again when the link is back."""
    active, network = cluster.serving(), cluster.lab.network
    standby = cluster.other(active)
    with cluster.one_server_at_most():
        goes, stays = standby.boot_id(), active.boot_id()
        network.cut(active.name, standby.name)
        standby.wait_until_up(200, not_boot=goes)
        # Twice in vain: the second time by itself.
        standby.wait_until_succeeds("journalctl --boot --unit nfsha-health | grep 'trying again to mount'", 400)
        standby.wait_until_succeeds("systemctl is-failed var-lib-nfs.mount srv-nfs4-data.mount", 400)
        load.wait_until_writes()
        assert cluster.runs_nfsd(active) and active.boot_id() == stays
        network.join(active.name, standby.name)
        standby.wait_until_succeeds("findmnt /var/lib/nfs && findmnt /srv/nfs4/data", 300)
        assert cluster.settle() is active
        load.wait_until_writes()
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
@pytest.mark.parametrize("deaf", ["the standby", "the serving node"])
def test_one_direction_between_the_nodes_is_lost(cluster: Cluster, load: Load, deaf: str) -> None:
    """VRRP is heard by one of them only, or by both; the connection of o2cb is lost all the same."""
    active = cluster.serving()
    with cluster.one_server_at_most():
        _lose_sight(cluster, load, active, one_way=True, sender=active if deaf == "the standby" else cluster.other(active))
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
def test_clients_do_not_hear_the_serving_node(cluster: Cluster, load: Load) -> None:
    """What it sends them is lost. The nodes hear each other, and only a witness on the clients' side can tell."""
    active = cluster.serving()
    heir, network, clients = cluster.other(active), cluster.lab.network, cluster.client.name
    _have_a_witness(cluster)
    with cluster.one_server_at_most(), cluster.no_node_resets():
        load.wait_until_writes()
        assert cluster.serving() is active
        network.cut(active.name, clients, one_way=True)
        load.wait_until_writes()
        assert cluster.runs_nfsd(heir)
        unfit = f"{active.name}  can't serve: no witness answers: {cluster.client.address}"
        heir.wait_until_succeeds(f'nfsha status | grep -F "{unfit}"', COMMAND_SECONDS)
        refused = heir.run("nfsha switchover")
        assert refused.status == 1 and "no witness answers" in refused.err
        network.join(active.name, clients)
        assert cluster.settle() is heir
        load.wait_until_writes()
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
def test_no_node_reaches_a_witness(cluster: Cluster, load: Load) -> None:
    """Nobody serves whom nobody could reach; that is over by itself, and nothing was lost."""
    network, clients = cluster.lab.network, cluster.client.name
    _have_a_witness(cluster)
    with cluster.one_server_at_most(), cluster.no_node_resets():
        load.wait_until_writes()
        for node in cluster.nodes:
            network.cut(node.name, clients)
        for node in cluster.nodes:
            node.wait_until_succeeds("grep -qx FAULT /run/nfsha/vrrp && grep -qx 0 /proc/fs/nfsd/threads", 90)
        for node in cluster.nodes:
            network.join(node.name, clients)
        load.wait_until_writes()
        cluster.settle()
    cluster.assert_healthy()
    load.stop_and_check()


def _have_a_witness(cluster: Cluster) -> None:
    """The laboratory has nothing else on the clients' side than the client, which would be none."""
    for node in cluster.nodes:
        cluster.edit(node, "network.witnesses", [cluster.client.address])
        node.succeed("nfsha configure nfsha-node")


def _lose_sight(cluster: Cluster, load: Load, active: Machine, *, one_way: bool, sender: Machine | None = None) -> None:
    """What the serving node and the other one send each other is lost, or what `sender` sends; until that is over."""
    standby, network = cluster.other(active), cluster.lab.network
    one = sender or active
    other = cluster.other(one)
    stays, goes = active.boot_id(), standby.boot_id()
    network.cut(one.name, other.name, one_way)
    standby.wait_until_up(200, not_boot=goes)
    load.wait_until_writes()
    assert cluster.runs_nfsd(active) and active.boot_id() == stays
    network.join(one.name, other.name)
    standby.wait_until_booted()
    load.wait_until_writes()
    assert cluster.settle() is active
