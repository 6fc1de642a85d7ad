"""What the Vagrantfile does in its machines makes a cluster of the laboratory's; only the hypervisor's part is left out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from nfsha_config.site import secrets
from nfsha_lab import tree
from nfsha_lab.cluster import Cluster
from nfsha_lab.folders import CHECKOUT
from nfsha_lab.install import INSTALL_SECONDS, Repository, find_or_build
from nfsha_lab.lab import parallel
from nfsha_lab.load import Load, make_directory
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.topology import REPOSITORY_ADDRESS
from nfsha_lab.up import booted
from tests import vagrantfile

pytestmark = pytest.mark.long


def test_the_provisioners_make_a_cluster_and_can_be_repeated(cluster: Cluster, tmp_path: Path) -> None:
    wanted = vagrantfile.machines(tmp_path)["libvirt"]
    repository = find_or_build(cluster.lab.folders)

    def provision(machine: Machine) -> None:
        _copy_repository(machine, wanted[machine.name]["folders"][0]["guestpath"], repository)
        for one in wanted[machine.name]["provisioners"]:
            _run(machine, one, repository)

    booted(cluster.lab)
    with step("running Vagrant's provisioners"):
        parallel(provision, cluster.lab.all)
    cluster.settle(INSTALL_SECONDS)
    make_directory(cluster)
    active = cluster.settle()
    load = Load(cluster, "vagrant")
    load.start()
    with step("running them again"), cluster.one_server_at_most():
        parallel(provision, cluster.lab.all)
    load.wait_until_writes()
    assert cluster.settle() is active
    for node in cluster.nodes:
        node.succeed("nfsha status")
    _assert_no_secret_is_left(cluster, repository)
    cluster.assert_healthy()
    load.stop_and_check()


def _copy_repository(machine: Machine, place: str, repository: Repository) -> None:
    """What rsync does; the laboratory's repository differs in the address alone that its sources name."""
    files = tree.files(repository.archive)
    mode, sources = files["nfsha.sources"]
    files["nfsha.sources"] = mode, sources.replace(f"http://{REPOSITORY_ADDRESS}/".encode(), f"file:{place}/".encode())
    machine.write_file("/root/repository.tar", tree.archive(files))
    machine.succeed(f"mkdir -p {place} && tar --extract --file /root/repository.tar --directory {place}")


def _run(machine: Machine, one: dict[str, Any], repository: Repository) -> None:
    """What Vagrant does for a provisioner."""
    if one["type"] == "file":
        machine.copy_in(repository.preseed(machine.name), one["destination"])
    elif one["type"] == "shell":
        machine.copy_in(CHECKOUT / one["path"], "/tmp/vagrant-shell")
        machine.succeed(shlex.join(["/tmp/vagrant-shell", *(one["args"] or [])]), INSTALL_SECONDS)
    else:
        # It would reboot a node whose kernel is the wrong one.
        assert one["type"] == "boot_other_kernel"
        machine.succeed("modprobe --dry-run --quiet ocfs2")


def _assert_no_secret_is_left(cluster: Cluster, repository: Repository) -> None:
    chap = secrets.load(repository.folder / "secrets")
    for machine in cluster.lab.all:
        left = machine.succeed("cat /tmp/*.preseed /var/cache/debconf/*.dat 2>/dev/null || true")
        assert "nfsha" in left and chap.node not in left and chap.target not in left, machine.name
