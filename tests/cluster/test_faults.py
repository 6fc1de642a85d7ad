"""A part of the serving node dies: it is mended there, or the other node serves; the service is back in seconds."""

from __future__ import annotations

import time

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine
from nfsha_lab.pace import pace_of
from nfsha_lab.second_client import ADDRESSES, SecondClient

PARTS = {
    "nfsdcld": "pkill -KILL -x nfsdcld",
    "rpc.mountd": "pkill -KILL -x rpc.mountd",
    "rpc.idmapd": "pkill -KILL -x rpc.idmapd",
    "the threads of nfsd": "rpc.nfsd 0",
    "the holder of the lock": "systemctl kill --kill-whom=main --signal=KILL nfsha-active",
    "the gate": "nft flush ruleset",
    "the gate, by who loads rules": "systemctl start nftables && systemctl reload nftables",
    "keepalived": "pkill -KILL -o -x keepalived",
    "all of keepalived at once": "pkill -KILL -x keepalived",
    "keepalived's process for VRRP": "pkill -KILL -n -x keepalived",
}
_UNITS = "keepalived nfsha-active nfs-server nfs-mountd nfs-idmapd nfsdcld nfsha-open"
_WHOLE = " && ".join(
    [
        # With one of them active it would succeed (systemctl(1)).
        f'test "$(systemctl is-active {_UNITS} | sort --unique)" = active',
        "pgrep -x nfsdcld && pgrep -x rpc.mountd && pgrep -x rpc.idmapd && nft list table inet nfsha",
        "grep -vx 0 /proc/fs/nfsd/threads",
    ]
)

# What clients have written, in bytes (fs/nfsd/stats.c).
_WRITTEN = "awk '/^io/ { print $3 }' /proc/net/rpc/nfsd"
# All in the node's own shell: a slow host takes longer for looks from outside than the two minutes in which ends count.
_DIES_THREE_TIMES = f"""
for death in 1 2 3; do
    # One that goes within seconds is still being mended.
    until [ $(($(date +%s) - $(stat -c %Y /run/nfsha/open))) -ge 10 ]; do sleep 0.5; done
    touch /run/death
    {PARTS["the threads of nfsd"]}
    [ $death = 3 ] && break
    until [ /run/nfsha/open -nt /run/death ] && {_WHOLE}; do sleep 0.5; done
    before=$({_WRITTEN})
    until [ "$({_WRITTEN})" != "$before" ]; do sleep 0.5; done
done"""

# Seconds on a calm host (nfsha_lab/pace.py): what a person would call at once, and the time between two looks of
# nfsha-health.service.
_MENDED = 10.0 + 2.0
# What it may be on a host that is as slow as any.
_SOMETIME = 120.0


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_server_is_killed(cluster: Cluster, load: Load, part: str) -> None:
    active = cluster.serving()
    with cluster.one_server_at_most():
        ahead = active.clock_ahead()
        died = float(active.succeed(f"date +%s.%N; {PARTS[part]}").split()[0]) - ahead
        begun = time.monotonic()
        active.poll("the service is whole on a node", lambda: any(node.run(_WHOLE).status == 0 for node in cluster.nodes), _SOMETIME)
        seen = time.monotonic() - begun
        started = _started(cluster.serving()) - died
        # A look takes many seconds on a slow host, so what was started is measured by the nodes' own clocks.
        whole = started if started > 0 else seen
        print(f"whole after {whole:.1f} s, and seen so after {seen:.1f} s")
        load.wait_until_writes()
        pace = pace_of(cluster.other(cluster.settle()), load)
        cluster.settle()
    assert whole < _MENDED * pace
    cluster.assert_healthy()
    assert load.stop_and_check().stall("write") < _MENDED * pace


def _started(node: Machine) -> float:
    """When the last of the server's units became active, by the host's time of day (org.freedesktop.systemd1(5))."""
    show = f"systemctl show --property=ActiveEnterTimestampMonotonic --value {_UNITS}"
    now, uptime, *entered = node.succeed(f"date +%s.%N; cut --delimiter=' ' --fields=1 /proc/uptime; {show}").split()
    return float(now) - float(uptime) + max(map(int, entered)) / 1e6 - node.clock_ahead()


@pytest.mark.long
def test_clients_are_remembered_after_nfsdcld_was_killed(cluster: Cluster, load: Load) -> None:
    idle = SecondClient.add(cluster, "idle", ADDRESSES[0])
    idle.hold("quiet")
    active = cluster.serving()
    with cluster.one_server_at_most():
        active.succeed(PARTS["nfsdcld"])
        active.wait_until_succeeds(_WHOLE, _SOMETIME)
        active.crash()
        load.wait_until_writes()
        assert idle.still_holds("quiet")
    load.stop_and_check(crash=True)


@pytest.mark.long
def test_a_server_that_ends_again_and_again(cluster: Cluster, load: Load) -> None:
    """It is started again twice, and then it is the other node's turn."""
    active = cluster.serving()
    heir = cluster.other(active)
    with cluster.one_server_at_most():
        active.succeed(_DIES_THREE_TIMES)
        # At once: a minute later the node stands by.
        heir.wait_until_succeeds("nfsha status | grep 'ends again and again'")
        load.wait_until_writes()
        assert cluster.serving() is heir
        heir.succeed(f"test $(nfsha history | grep --count '{active.name} serves again') = 2")
    load.stop_and_check()
