"""What clients feel of a takeover that share a lock, sleep, or die."""

from __future__ import annotations

import pytest

from nfsha_config.site import load as site_load
from nfsha_lab.bench import stalls
from nfsha_lab.cluster import MOUNT, WORK, Cluster
from nfsha_lab.load import Load
from nfsha_lab.lock_client import LockClient
from nfsha_lab.second_client import ADDRESSES, SecondClient

SITE = site_load.load_file(site_load.LAB)
# Seconds until a dead node is recovered and another serves, at the most; what is more is the grace period's.
_TAKEOVER = 60.0
# Seconds between two attempts of a client that was told to wait for the end of the grace period, at the most
# (fs/nfs/nfs4proc.c, NFS4_POLL_RETRY_MAX), and for what was under way.
_ASKS_AGAIN = 15.0 + 5.0


def busy(cluster: Cluster) -> LockClient:
    """The client machine itself."""
    return LockClient(cluster.client, "busy", f"{MOUNT}/{WORK}")


@pytest.mark.long
def test_two_clients_want_the_same_lock(cluster: Cluster) -> None:
    holder, waiter = busy(cluster), SecondClient.add(cluster, "second", ADDRESSES[0])
    holder.hold("shared")
    waiter.wait_for("shared")
    with cluster.one_server_at_most():
        cluster.serving().crash()
        assert holder.still_holds("shared", 240)
        # The server says so, too, whoever asks.
        assert not waiter.try_lock("shared")
        assert not waiter.holds("shared")
        assert holder.still_holds("shared")
        holder.let_go("shared")
        cluster.client.poll("the client that waited gets the lock", lambda: waiter.holds("shared"), 120)
        assert waiter.still_holds("shared")
        assert not busy(cluster).try_lock("shared")


@pytest.mark.long
def test_an_idle_client_keeps_its_lock(cluster: Cluster, load: Load) -> None:
    idle = SecondClient.add(cluster, "idle", ADDRESSES[0])
    idle.hold("quiet")
    with cluster.one_server_at_most():
        cluster.serving().crash()
        load.wait_until_writes()
        assert not busy(cluster).try_lock("quiet")
        assert idle.still_holds("quiet")
    load.stop_and_check(crash=True)


@pytest.mark.long
def test_a_client_that_dies_with_the_server_delays_others_by_no_more_than_the_grace_time(cluster: Cluster, load: Load) -> None:
    dead = SecondClient.add(cluster, "dead", ADDRESSES[0])
    dead.hold("left")
    with cluster.one_server_at_most():
        dead.die()
        cluster.serving().crash()
        load.wait_until_writes(_TAKEOVER + 2 * SITE.timings.nfs_grace)
    verdict = load.stop_and_check(crash=True)
    # Of the writers alone: others write into files that they open first.
    written = stalls.longest(stalls.stalls(load.history(), "write", since=0.0))
    assert verdict.stall("create") < written + SITE.timings.nfs_grace + _ASKS_AGAIN
    assert written < _TAKEOVER, "who only writes does not wait for the end of the grace period"
    assert busy(cluster).try_lock("left")
