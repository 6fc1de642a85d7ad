"""A part of the serving node dies: it is mended there, or the other node serves; the service is back in seconds."""

from __future__ import annotations

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.load import Load

PARTS = {
    "nfsdcld": "pkill -KILL -x nfsdcld",
    "rpc.mountd": "pkill -KILL -x rpc.mountd",
    "rpc.idmapd": "pkill -KILL -x rpc.idmapd",
    "the threads of nfsd": "rpc.nfsd 0",
    "the holder of the lock": "systemctl kill --kill-who=main --signal=KILL nfsha-active",
    "the gate": "nft flush ruleset",
    "keepalived": "pkill -KILL -o -x keepalived",
}
_WHOLE = " && ".join(
    [
        "systemctl is-active keepalived nfsha-active nfs-server nfs-mountd nfs-idmapd nfsdcld nfsha-open",
        "pgrep -x nfsdcld && pgrep -x rpc.mountd && pgrep -x rpc.idmapd && nft list table inet nfsha",
        "grep -vx 0 /proc/fs/nfsd/threads",
    ]
)


# Seconds: what a person would call at once, and two looks of nfsha-health.service.
_MENDED = 10.0 + 2 * 2.0


@pytest.mark.long
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_server_is_killed(cluster: Cluster, load: Load, part: str) -> None:
    with cluster.one_server_at_most():
        cluster.serving().succeed(PARTS[part])
        load.wait_until_writes()
        cluster.serving().wait_until_succeeds(_WHOLE)
        cluster.settle()
    cluster.assert_healthy()
    verdict = load.stop_and_check()
    assert verdict.stall("write") < _MENDED
