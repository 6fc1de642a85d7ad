"""A node that can't serve says why and lets go; what could be mended was mended before."""

from __future__ import annotations

import time

import pytest

from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT
from nfsha_lab.cluster import DATA, Cluster
from nfsha_lab.load import Load
from nfsha_lab.topology import VIRTUAL_ADDRESS

pytestmark = pytest.mark.long
_FAILS = """\
#!/bin/sh
case "$*" in
*of={volume}/*) echo "dd: error writing: Input/output error" >&2; exit 1 ;;
esac
exec /usr/bin/dd "$@"
"""
# What is listed on the standby is seen only when it has become master. Health's own watchdog barks after 60 s.
_LISTS_LATE = """\
#!/bin/sh
case "$*" in
"list table inet nfsha")
    listed=$(/usr/sbin/nft "$@") || exit
    for try in $(seq 300); do
        ! grep -qx MASTER /run/nfsha/vrrp || break
        sleep 0.1
    done
    ! grep -qx MASTER /run/nfsha/vrrp || echo >>/run/listed
    echo "$listed"
    ;;
*) exec /usr/sbin/nft "$@" ;;
esac
"""


def test_a_volume_that_can_not_be_written_any_more(cluster: Cluster) -> None:
    """As OCFS2 makes it after an error; nobody writes, since what clients write until it is noticed, fails."""
    active = cluster.serving()
    with cluster.one_server_at_most():
        active.succeed(f"mount -o remount,ro {DATA}")
        cluster.client.poll("the other node serves", lambda: cluster.serving() is cluster.other(active), 120)
        active.wait_until_succeeds(f"grep -q '{DATA} has become read-only' /run/nfsha/unfit")
        active.succeed(f"mount -o remount,rw {DATA}")
        assert cluster.settle() is cluster.other(active)


@pytest.mark.parametrize("volume", [STATE_MOUNT, DATA_MOUNT])
def test_a_write_that_fails(cluster: Cluster, load: Load, volume: str) -> None:
    """As on a disk that only one node has errors with: the trial finds it, and the other node does better."""
    active = cluster.serving()
    active.write_file("/usr/local/bin/dd", _FAILS.format(volume=volume), 0o755)
    with cluster.one_server_at_most():
        cluster.client.poll("the other node serves", lambda: cluster.serving() is cluster.other(active), 120)
        load.wait_until_writes()
        active.wait_until_succeeds(f'nfsha status | grep -F "{volume} can\'t be written: Input/output error"')
        active.succeed("rm /usr/local/bin/dd")
        assert cluster.settle() is cluster.other(active)
    cluster.assert_healthy()
    load.stop_and_check()


def test_a_node_that_may_not_open_its_gate_gives_the_service_back(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    heir = cluster.other(active)
    heir.write_file("/etc/nfs.conf.d/zz.conf", "[nfsd]\nlease-time = 60\n")
    with cluster.one_server_at_most():
        refused = active.run("nfsha switchover", 300)
        assert refused.status == 1 and "see: nfsha status" in refused.err
        load.wait_until_writes()
        assert "the lease-time is 60 s, not 15 s" in heir.succeed("journalctl -b -u nfsha-open -o cat")
        heir.succeed("rm /etc/nfs.conf.d/zz.conf")
        for node in cluster.nodes:
            node.succeed("systemctl reset-failed")
        assert cluster.settle() is active
    load.stop_and_check()


def test_a_gate_that_is_not_as_its_node_is(cluster: Cluster, load: Load) -> None:
    """Closed by who loads its file, and opened by who empties what closes it."""
    active = cluster.serving()
    standby = cluster.other(active)
    with cluster.one_server_at_most():
        active.succeed("nft --file /etc/nfsha/gate.nft")
        standby.succeed("nft flush chain inet nfsha closed_input")
        load.wait_until_writes(timeout=60)
        standby.wait_until_succeeds("nft list chain inet nfsha closed_input | grep drop", 30)
        assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()
    # One that is right is left alone, before and after.
    assert [node.journal("--boot --unit=nfsha-health").count(": put back") for node in cluster.nodes] == [1, 1]


def test_keepalived_hangs(cluster: Cluster, load: Load) -> None:
    """On the standby, and on the serving node: neither two masters nor none are left."""
    active = cluster.serving()
    with cluster.one_server_at_most():
        for node in (cluster.other(active), active):
            before = node.succeed("cat /run/keepalived.pid")
            node.succeed("pkill -STOP -x keepalived")
            node.wait_until_fails(f"grep -qx {before.strip()} /run/keepalived.pid")
            load.wait_until_writes()
            assert cluster.settle() is (active if node is not active else cluster.other(active))
    cluster.assert_healthy()
    load.stop_and_check()


def test_a_new_master_is_not_taken_for_one_that_hangs(cluster: Cluster, load: Load) -> None:
    """On a busy node what it sent was counted before it was master, and seen when it was."""
    hangs = "journalctl --boot --unit nfsha-health | grep 'keepalived hangs'"
    heir = cluster.other(cluster.serving())
    heir.write_file("/usr/local/sbin/nft", _LISTS_LATE, 0o755)
    with cluster.one_server_at_most():
        heir.succeed("nfsha switchover")
        heir.wait_until_succeeds(f"[ $(wc -l </run/listed) -ge 3 ] || {hangs}")
        heir.fail(hangs)
        load.wait_until_writes()
        assert cluster.settle() is heir
    cluster.assert_healthy()
    load.stop_and_check()


def test_another_machine_answers_for_the_address(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    cluster.target.succeed(f"ip address add {VIRTUAL_ADDRESS}/32 dev eth1")
    mac = cluster.target.succeed("cat /sys/class/net/eth1/address").strip()
    active.wait_until_succeeds(f"nfsha status | grep 'another machine answers for the virtual address, too: {mac};'")
    cluster.target.succeed(f"ip address del {VIRTUAL_ADDRESS}/32 dev eth1")
    load.wait_until_writes()
    load.stop_and_check()


def test_a_later_file_overrides_what_a_node_needs_of_its_kernel(cluster: Cluster) -> None:
    active, later = cluster.serving(), "/etc/sysctl.d/99-later.conf"
    active.write_file(later, "fs.leases-enable = 1\n")
    active.succeed("sysctl --system")
    told = f"nfsha status | grep -x '{active.name}: fs.leases-enable is 1, not 0: take it out of .*'"
    cluster.other(active).wait_until_succeeds(told)
    active.succeed(f"rm {later} && sysctl --system")
    cluster.other(active).wait_until_fails(told)
    cluster.assert_healthy()


def test_a_server_that_does_not_answer(cluster: Cluster, load: Load) -> None:
    """While others have answers it is not dead. Then it is started again, and at last the other node's turn comes."""
    active = cluster.serving()
    heir = cluster.other(active)
    again = "journalctl --boot --unit nfsha-health | grep 'does not answer, and is started again'"
    with cluster.one_server_at_most():
        active.succeed("nft 'table inet story { chain input { type filter hook input priority 0; iif lo tcp dport 2049 drop; }; }'")
        # A dead one would have been started again after 15 s.
        time.sleep(25)
        active.fail(again)
        load.stop_and_check()
        active.wait_until_succeeds(again)
        cluster.client.poll("the other node serves", lambda: cluster.serving() is heir, 180)
        assert f"{active.name}  can't serve: the NFS server does not answer" in heir.succeed("nfsha status")
        active.succeed("nft delete table inet story")
        active.wait_until_succeeds(f"nfsha status | grep -x '{active.name}  stands by'")
        assert cluster.settle() is heir
    cluster.assert_healthy()


def test_a_client_whose_name_comes_to_be_known_later(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    heir = cluster.other(active)
    with cluster.one_server_at_most():
        for node in (heir, active):
            node.succeed("sed -i 's/^clients = .*/clients = [\"client\", \"late\"]/; s/^revision = .*/revision = 2/' /etc/nfsha/site.toml")
            node.succeed("nfsha configure nfsha-node")
        active.succeed("nfsha switchover")
        load.wait_until_writes()
        assert "Failed to resolve late" in heir.succeed("journalctl --boot --unit nfsha-open --output cat")
        heir.fail("grep late /run/nfsha/exports/etab")
        heir.succeed("echo 192.168.50.77 late >>/etc/hosts")
        heir.wait_until_succeeds("grep late /run/nfsha/exports/etab", 60)
        load.wait_until_writes()
    load.stop_and_check()
