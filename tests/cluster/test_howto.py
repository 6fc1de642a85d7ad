"""The pages' commands on the laboratory's machines, in the order of each page, and what becomes of clients meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nfsha_lab.cluster import DATA, NODES, Cluster
from nfsha_lab.install import PACKAGES
from nfsha_lab.lab import parallel
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine
from tests.pages import Walk
from tests.reader import LAB, Reader, renew, typed

pytestmark = pytest.mark.long

_INSTALLED = 900.0


def wait_for(machine: Machine, status: str, timeout: float = _INSTALLED) -> None:
    """Until `nfsha status` on the machine has a line that matches."""
    machine.wait_until_succeeds(f"nfsha status | grep -q '{status}'", timeout)


def test_tutorial(cluster: Cluster, tmp_path: Path) -> None:
    """From machines without nfsha and a disk that holds something, by a key and a site of the reader's own."""
    for together in ([cluster.client], cluster.nodes, [cluster.target]):
        parallel(_forget_nfsha, together)
    reader = Reader(cluster, tmp_path)
    nfs1, nfs2 = cluster.nodes
    try:
        with reader.walk("docs/tutorial/first-cluster.md") as page:
            page.step("disk", "disk", "disk", "nfs1", "nfs2")
            page.step("build-host", "site.toml", "build-host", "build-host", "build-host", "build-host")
            reader.publish()
            for machine in cluster.lab.all:
                reader.bring(machine, consent=machine is nfs1)
            page.step("disk", "disk", "nfs1")
            wait_for(nfs1, "nfs1  serves, 0 clients")
            page.step("nfs1", "nfs1", "nfs2")
            wait_for(nfs2, "nfs2  stands by")
            page.step("nfs2", "nfs1", "client")
            _move_and_cut(cluster, page)
            page.step("build-host")
    finally:
        reader.host.close()


def _move_and_cut(cluster: Cluster, page: Walk) -> None:
    nfs1, nfs2 = cluster.nodes
    page.step("nfs1", "client")
    wait_for(nfs1, "nfs1  stands by")
    page.step("nfs1")
    nfs1.wait_until_succeeds("nfsha history | grep -q 'nfs2 took over from nfs1'")
    page.step("nfs1", "client")
    cluster.client.wait_until_succeeds("test $(wc -l </data/work/log) -gt 3")
    nfs2.crash()
    wait_for(nfs1, "nfs1  serves")
    page.step("nfs1")
    lines = int(cluster.client.succeed("wc -l </data/work/log"))
    cluster.client.wait_until_succeeds(f"test $(wc -l </data/work/log) -gt {lines}", 300)
    page.step("client")
    nfs2.start()
    nfs2.wait_until_booted()
    wait_for(nfs2, "nfs2  stands by")
    page.step("nfs2", "client")
    cluster.client.fail("grep -av '^[[:print:]]*$' /data/work/log")


def _forget_nfsha(machine: Machine) -> None:
    machine.succeed(f"DEBIAN_FRONTEND=noninteractive apt-get purge --yes {PACKAGES[machine.name]} python3-nfsha-config", 600)
    machine.succeed("rm /etc/apt/sources.list.d/nfsha.sources")


def test_readme(cluster: Cluster, load: Load, reader: Reader) -> None:
    reader.call(node=reader.look())
    with cluster.one_server_at_most(), reader.walk("README.md", only=("node",)) as page:
        page.to_the_end()
        load.wait_until_writes()
        typed(reader.named["node"][0], "nfsha maintenance off")
        cluster.settle()
    load.stop_and_check()


_ADMINS = r"^  ((?:nfsha|systemctl|journalctl|nfsstat|tgtadm|ping) .*)$"


def test_readme_debian(cluster: Cluster, load: Load) -> None:
    """What each package's README.Debian has an admin type, on a machine that has it."""
    active = cluster.serving()
    standby = cluster.other(active)
    with cluster.one_server_at_most():
        for machine in (cluster.target, standby, cluster.client):
            text = machine.succeed(f"zcat --force /usr/share/doc/{PACKAGES[machine.name]}/README.Debian*")
            # What stands beside a command says what it is for.
            commands = [line.split("  ")[0] for line in re.findall(_ADMINS, text, re.MULTILINE)]
            assert len(commands) >= 5, text
            for command in commands:
                machine.succeed(command.replace("ping ", "ping -c 2 "), _INSTALLED)
        load.wait_until_writes()
        standby.succeed("nfsha maintenance off")
        cluster.settle()
    cluster.assert_healthy()
    load.stop_and_check()


def test_roll_out_and_back(cluster: Cluster, load: Load, reader: Reader) -> None:
    # The tutorial's name; the cluster that is there has another one.
    name = {"cluster files": f"cluster {LAB.cluster.name}"}
    with cluster.one_server_at_most(), reader.walk("docs/howto/roll-out-and-back.md", name) as page:
        page.step("build-host", "edit", "build-host")
        reader.publish()
        page.step("standby", "serving", "disk", "client")
        load.wait_until_writes()
        page.step("serving", "build-host")
        reader.publish()
        page.step("standby", "serving")
        reader.look()
        load.wait_until_writes()
    cluster.assert_healthy()
    load.stop_and_check()


def test_change_a_setting(cluster: Cluster, load: Load, reader: Reader) -> None:
    first = cluster.nodes[0]
    # The laboratory's network has no router.
    witness = {'192.0.2.1"': f'{cluster.target.address}"'}
    with cluster.one_server_at_most(), reader.walk("docs/howto/change-a-setting.md", witness) as page:
        page.step("edit-on-nodes", "nodes", "nodes", "edit")
        reader.roll_out(reader.named["nodes"])
        assert cluster.settle() is reader.named["serving"][0]
        page.step("standby", "serving", "nodes", "nodes")
        reader.look()
        page.step("serving")
        assert "o2cb runs" not in first.succeed("nfsha status")
        load.wait_until_writes()
        page.step("nodes", "build-host")
        secrets = (reader.host.folder / "secrets-new").read_text(encoding="utf-8")
        for machine in (cluster.target, *cluster.nodes):
            machine.write_file("/etc/nfsha/secrets", secrets, 0o600)
        page.step("disk", "nodes")
        reader.look()
    cluster.assert_healthy()
    load.stop_and_check()


def test_add_a_client(cluster: Cluster, reader: Reader) -> None:
    typed(cluster.client, "apt-get purge nfsha-client")
    with reader.walk("docs/howto/add-a-client.md") as page:
        page.step("edit")
        reader.roll_out(reader.named["nodes"])
        reader.bring(cluster.client)
        page.to_the_end()


def test_add_an_export(cluster: Cluster, load: Load, reader: Reader) -> None:
    with reader.walk("docs/howto/add-an-export.md") as page:
        page.to_the_end()
    below = '[[export]]\npath = "/srv/nfs4/data/projects"\nclients = ["client"]\nfsid = "6a0b9c56-7d0c-4c1c-8d52-9a4b0b1f2a33"\n'
    reader.host.edit_site(below)
    assert "would have no clients and options of its own" in reader.host.run("! nfsha check site.toml")
    load.stop_and_check()


def test_take_a_node_down(cluster: Cluster, load: Load, reader: Reader) -> None:
    node = reader.look()
    other = cluster.other(node)
    reader.call(node=node, other=other)
    with cluster.one_server_at_most(), reader.walk("docs/howto/take-a-node-down.md") as page:
        page.step("node")
        wait_for(other, "in maintenance")
        page.step("other", "node")
        node.wait_until_succeeds(f"grep -q ' {DATA} ocfs2 ' /proc/mounts", _INSTALLED)
        wait_for(other, f"{node.name}  can.t serve: in maintenance")
        page.step("node")
        wait_for(other, f"{node.name}  stands by")
        page.step("other")
        assert cluster.settle() is other
    cluster.assert_healthy()
    load.stop_and_check()


def test_replace_a_node(cluster: Cluster, load: Load, reader: Reader) -> None:
    old = reader.look()
    other = cluster.other(old)
    reader.call(old=old, new=old, other=other)
    with cluster.one_server_at_most(), reader.walk("docs/howto/replace-a-node.md") as page:
        page.step("old", "other")
        renew(old, "root")
        reader.bring(old)
        page.step("new")
        wait_for(other, f"{old.name}  stands by")
        page.step("other")
        old.succeed("nfsha switchover")
        load.wait_until_writes()
        assert cluster.settle() is old
    cluster.assert_healthy()
    load.stop_and_check()


def test_replace_the_disk(cluster: Cluster, load: Load, reader: Reader) -> None:
    new = "/dev/loop0"
    cluster.target.succeed(f"truncate --size {LAB.storage.size} /var/new-disk && losetup {new} /var/new-disk")
    places = {"/dev/disk/by-id/OLD": LAB.storage.device, "/dev/disk/by-id/NEW": new}
    with cluster.one_server_at_most(), reader.walk("docs/howto/replace-the-disk.md", places) as page:
        page.step("disk", "standby", "serving", "disk", "edit")
        reader.roll_out([cluster.target, *reader.named["nodes"]])
        page.step("disk", "nodes")
        reader.look()
        load.wait_until_writes()
    assert new in cluster.target.succeed("tgtadm --lld iscsi --op show --mode target")
    cluster.assert_healthy()
    load.stop_and_check()


def test_grow_the_disk(cluster: Cluster, load: Load, reader: Reader) -> None:
    grown = LAB.storage.size + 256 * 2**20
    values = {"2000409772032": str(grown), "LUN-part2": f"{LAB.lun_path}-part2"}
    with cluster.one_server_at_most(), reader.walk("docs/howto/grow-the-disk.md", values) as page:
        page.step("standby", "serving")
        cluster.target.succeed("systemctl stop tgt")
        _make_larger(cluster.target, grown)
        page.step("disk", "edit")
        reader.roll_out([cluster.target, *reader.named["nodes"]])
        page.step("disk", "nodes")
        reader.look()
        load.wait_until_writes()
        before = _room(cluster.client)
        page.step("serving", "client")
        assert _room(cluster.client) - before > 200 * 2**20
        load.wait_until_writes()
        reader.named["serving"][0].succeed("nfsha switchover")
        load.wait_until_writes()
    cluster.assert_healthy()
    load.stop_and_check()


def _make_larger(target: Machine, size: int) -> None:
    """A larger device with the same content under the same name; the laboratory's own disk has one size."""
    target.succeed(f"dd if={LAB.storage.device} of=/var/larger bs=4M conv=sparse && truncate --size {size} /var/larger", 600)
    target.succeed(f"losetup /dev/loop0 /var/larger && ln --symbolic --force /dev/loop0 {LAB.storage.device}")


def _room(client: Machine) -> int:
    """What the client sees as the size of the data, in bytes."""
    return int(client.succeed("df --block-size=1 --output=size /data | tail -n 1"))


def test_move_to_new_addresses(cluster: Cluster, reader: Reader) -> None:
    first = cluster.nodes[0]
    with reader.walk("docs/howto/move-to-new-addresses.md") as page:
        page.step("edit")
        # The page says "build"; what the machines do comes later.
        reader.roll_out([])
        page.step("client", "standby", "serving", "disk", "nodes", "client")
        for machine in cluster.lab.all:
            machine.succeed("sed -i 's/192\\.168\\.50\\./192.168.60./' /etc/network/interfaces /etc/hosts")
        page.step("disk", "nodes")
        wait_for(first, "  stands by")
        page.step("client", "client")
    typed(cluster.client, "echo moved >/data/work/moved && grep moved /data/work/moved")
    cluster.assert_healthy()


def test_both_nodes_down(cluster: Cluster, load: Load, reader: Reader) -> None:
    reader.call(node=cluster.nodes[0])
    with cluster.one_server_at_most(), reader.walk("docs/howto/both-nodes-down.md", {"LUN": f"{LAB.lun_path}-part2"}) as page:
        parallel(lambda node: node.crash(), cluster.nodes)
        page.step("disk")
        for node in cluster.nodes:
            node.start()
        parallel(lambda node: node.wait_until_booted(), cluster.nodes)
        load.wait_until_writes()
        reader.look()
        page.step("node", "node", "nodes", "node", "nodes")
        reader.look()
        load.wait_until_writes()
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


def test_target_lost(cluster: Cluster, load: Load, reader: Reader) -> None:
    nfs1, target = cluster.nodes[0], cluster.target
    with reader.walk("docs/howto/target-lost.md", {"BACKUP": "/root/backup.tar"}) as page:
        renew(target, "root")
        reader.bring(target)
        page.step("disk")
        load.wait_until_writes()
        reader.look()
        load.stop_and_check()

        parallel(lambda node: node.crash(), cluster.nodes)
        renew(target, "lun")
        page.step("disk")
        for node in cluster.nodes:
            node.start()
        parallel(lambda node: node.wait_until_up(), cluster.nodes)
        page.step("nodes")
        nfs1.succeed("echo nfsha-node nfsha-node/format boolean true | debconf-set-selections")
        page.step("nfs1")
        for node in cluster.nodes:
            node.wait_until_succeeds(f"grep -q ' {DATA} ocfs2 ' /proc/mounts", _INSTALLED)
        nfs1.succeed("mkdir -p /root/old/work && echo saved >/root/old/work/saved && tar -C /root/old -cf /root/backup.tar .")
        page.step("nfs1", "nfs1", "nfs2")
        cluster.serving()
        page.step("client")
    cluster.settle()
    assert typed(cluster.client, "cat /data/work/saved") == "saved\n"
    cluster.assert_healthy()


def test_the_pages_name_the_laboratorys_nodes() -> None:
    assert [node.name for node in LAB.nodes] == list(NODES) == ["nfs1", "nfs2"]
