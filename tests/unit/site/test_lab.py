"""The built-in site is the laboratory of the proof of concept: same addresses, IQN, sizes and paths."""

from __future__ import annotations

from nfsha_config.site import load

SITE = load.load_file(load.LAB)


def test_machines() -> None:
    assert [(node.number, node.name, str(node.address), node.priority) for node in SITE.nodes] == [
        (1, "nfs1", "192.168.50.11", 246),
        (2, "nfs2", "192.168.50.12", 245),
    ]
    assert SITE.slots == 2
    assert SITE.node("nfs2") == SITE.nodes[1]
    assert SITE.node("nfs3") is None


def test_network() -> None:
    assert str(SITE.network.virtual_address) == "192.168.50.10/24"
    assert (SITE.network.interface, SITE.network.router_id, SITE.timings.vrrp_interval) == ("eth1", 101, 1.0)
    # The proof of concept pinged a client and failed back at once; both are mistakes that are not repeated.
    assert (SITE.network.witnesses, SITE.network.fail_back) == ((), "manual")


def test_storage() -> None:
    storage = SITE.storage
    assert (str(storage.portal), storage.iqn) == ("192.168.50.20:3260", "iqn.2018-08.es.raulpedroche:lun1")
    assert (storage.node_user, storage.target_user) == ("nfs-iscsi-user", "debian-iscsi-target")
    assert (storage.size, storage.state_size) == (2**30, 64 * 2**20)
    assert SITE.lun_path == "/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1"


def test_what_is_served() -> None:
    assert SITE.cluster.name == "ocfs2"
    assert [(export.path, export.clients, export.options) for export in SITE.exports] == [
        ("/srv/nfs4/data", ("client",), ("rw", "sync", "no_subtree_check"))
    ]
    assert SITE.client.mount_point == "/data"
    assert (SITE.timings.nfs_lease, SITE.timings.nfs_grace) == (15, 90)


def test_the_identities_on_the_disk_are_this_sites_and_stay() -> None:
    # Written into each partition table and volume: another value would make nfsha refuse its own disk.
    assert str(SITE.disk_id) == "7fbab889-2d04-5ecc-bc81-dbf22799ac86"
    assert str(SITE.state_uuid) == "2fa229ff-76ce-5151-a21f-d4c21257135f"
    assert str(SITE.data_uuid) == "8ea05b8c-0f8a-555b-94ef-4e8984b57c62"
    other = load.load(load.LAB.read_text(encoding="utf-8").replace('name = "ocfs2"', 'name = "other"'), "other")
    assert len({SITE.disk_id, SITE.state_uuid, SITE.data_uuid, other.disk_id, other.state_uuid, other.data_uuid}) == 6
