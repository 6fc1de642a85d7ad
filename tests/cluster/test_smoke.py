"""The shortest story of all: what the cluster must do on each Debian release."""

from __future__ import annotations

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.load import Load

pytestmark = pytest.mark.long


def test_a_client_writes_through_a_switchover_and_a_crash(cluster: Cluster, load: Load) -> None:
    first = cluster.serving()
    second = cluster.other(first)
    with cluster.one_server_at_most():
        assert f"{second.name} serves now" in first.succeed("nfsha switchover")
        load.wait_until_writes()
        assert cluster.settle() is second
        second.crash()
        load.wait_until_writes()
        assert cluster.serving() is first
        second.start()
        second.wait_until_booted()
        assert cluster.settle() is first
    cluster.assert_healthy()
    for node in cluster.nodes:
        assert "buggy" not in node.succeed("journalctl --dmesg --boot"), "what watches asks what the kernel complains of"
    load.stop_and_check(crash=True)
