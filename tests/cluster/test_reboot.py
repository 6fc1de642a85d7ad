"""Machines reboot, one after the other and all at once; nobody has to do anything."""

from __future__ import annotations

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.lab import parallel
from nfsha_lab.load import Load


@pytest.mark.long
def test_serving_node_reboots(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    written = "stat --format=%y /etc/default/o2cb"
    before = active.succeed(written)
    with cluster.one_server_at_most():
        active.reboot()
        load.wait_until_writes()
        active.wait_until_booted()
        assert cluster.settle() is cluster.other(active)
    assert active.succeed(written) == before, "o2cb wrote its settings anew: with no power in that moment, they are lost"
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
def test_standby_and_then_the_target_reboot(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    standby = cluster.other(active)
    with cluster.one_server_at_most():
        standby.reboot()
        standby.wait_until_booted()
        assert cluster.settle() is active
        load.wait_until_writes()
        with cluster.no_node_resets():
            cluster.target.reboot()
            cluster.target.wait_until_booted()
            load.wait_until_writes()
            assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
def test_client_reboots(cluster: Cluster) -> None:
    before = Load(cluster, "before")
    before.start()
    with cluster.one_server_at_most():
        before.stop()
        cluster.client.reboot()
        cluster.client.wait_until_booted()
        before.check().assert_green()
        after = Load(cluster, "after")
        after.start()
        cluster.settle()
    cluster.assert_healthy()
    after.stop_and_check()


@pytest.mark.long
def test_cold_start_of_all_four(cluster: Cluster, load: Load) -> None:
    load.stop()
    with cluster.one_server_at_most():
        parallel(lambda machine: machine.crash(), cluster.lab.all)
        for machine in cluster.lab.all:
            machine.start()
        parallel(lambda machine: machine.wait_until_up(), cluster.lab.all)
        cluster.settle(600)
        parallel(lambda machine: machine.wait_until_booted(), cluster.lab.all)
        load.check().assert_green()
        again = Load(cluster, "again")
        again.start()
    cluster.assert_healthy()
    again.stop_and_check()
