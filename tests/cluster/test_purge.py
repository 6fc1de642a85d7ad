"""Removing and purging leaves working machines, foreign files as they were, and the data."""

from __future__ import annotations

import uuid

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.install import PACKAGES
from nfsha_lab.lab import parallel
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine

_DATA_NEEDLE = "nfsha-data"


def test_purge_leaves_the_machines_and_the_data(cluster: Cluster, load: Load) -> None:
    load.stop_and_check()
    token = uuid.uuid4().hex
    cluster.client.succeed(f"echo {token} >/data/work/kept; sync")
    foreign = parallel(_foreign_files, cluster.lab.all)
    assert all(foreign)
    for together in ([cluster.client], cluster.nodes, [cluster.target]):
        parallel(_purge, together)
    assert parallel(_foreign_files, cluster.lab.all) == foreign
    for node in cluster.nodes:
        node.fail("grep ocfs2 /proc/self/mounts")
        node.succeed("grep -qx O2CB_ENABLED=false /etc/default/o2cb && grep -qx O2CB_HEARTBEAT_THRESHOLD=31 /etc/default/o2cb")
        node.fail("iscsiadm -m session")
    names = cluster.target.succeed("lsblk --noheadings --output PARTLABEL,FSTYPE,LABEL /dev/disk/by-id/virtio-nfsha-lun")
    assert _DATA_NEEDLE in names and "ocfs2" in names, names
    cluster.target.succeed(f"grep --text --quiet {token} /dev/disk/by-id/virtio-nfsha-lun-part2", 300)


@pytest.mark.long
def test_a_node_whose_data_somebody_uses_is_not_removed(cluster: Cluster, load: Load) -> None:
    """Its disk would be taken from under the mounted volumes, and o2cb would reset the machine."""
    standby = cluster.other(cluster.serving())
    with cluster.no_node_resets():
        standby.succeed("systemd-run --quiet --unit=visitor sh -c 'cd /srv/nfs4/data && exec sleep infinity'")
        said = standby.fail("DEBIAN_FRONTEND=noninteractive apt-get remove --yes --quiet nfsha-node 2>&1", 600)
        assert "/srv/nfs4/data: still mounted" in said
        assert standby is not cluster.settle(), "dpkg starts again what it did not remove"
        standby.succeed("systemctl stop visitor")
        _purge(standby)
    load.stop_and_check()


def _purge(machine: Machine) -> None:
    package = PACKAGES[machine.name]
    for verb in ("remove", "purge"):
        machine.succeed(f"DEBIAN_FRONTEND=noninteractive apt-get {verb} --yes --quiet {package} >/root/{verb}.log 2>&1", 600)
    machine.fail("test -e /etc/nfsha || test -e /var/lib/nfsha || test -e /etc/keepalived/keepalived.conf")
    # The source is the admin's.
    machine.fail("find /etc /usr/lib/systemd -name '*nfsha*' -not -path '/etc/apt/*' | grep .")
    machine.fail("grep -e keepalived -e ocfs2 /var/lib/ucf/hashfile /var/lib/ucf/registry")
    machine.fail("debconf-show --listowners | grep nfsha")
    machine.fail("nft list table inet nfsha")
    assert machine.failed_units() == []


def _foreign_files(machine: Machine) -> str:
    """Hashes of all files of packages that are not ours, below /etc, as dpkg knows them."""
    return machine.succeed(
        "for list in /var/lib/dpkg/info/*.conffiles; do case $list in */nfsha-*) ;; *) cat $list ;; esac; done "
        "| sed 's/^remove-on-upgrade //' | sort -u | xargs -d '\\n' sha256sum 2>/dev/null; "
        "sha256sum /etc/exports /etc/nfs.conf /etc/default/nfs* /etc/iscsi/initiatorname.iscsi 2>/dev/null; true"
    )
