"""The network breaks in one place: at most one node serves, clients go on, and nobody has to do anything."""

from __future__ import annotations

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.load import Load

pytestmark = pytest.mark.long


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


def test_the_link_between_the_nodes_is_cut(cluster: Cluster, load: Load) -> None:
    """Both claim the address; the one with the lock serves; the higher o2cb number resets itself."""
    first, second = cluster.nodes
    with cluster.one_server_at_most():
        boot = second.boot_id()
        cluster.lab.network.cut(first.name, second.name)
        second.wait_until_up(200, not_boot=boot)
        cluster.lab.network.join(first.name, second.name)
        second.wait_until_booted()
        load.wait_until_writes()
        assert cluster.settle() is first
    cluster.assert_healthy()
    load.stop_and_check(crash=True)
