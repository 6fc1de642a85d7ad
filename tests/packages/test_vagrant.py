"""The Vagrantfile as Vagrant reads it: good once the page's commands were run, and the same machines as the laboratory's."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nfsha_config.site import load
from nfsha_lab import install, qemu, topology
from tests import vagrantfile
from tests.buildhost import BuildHost
from tests.pages import Walk
from tests.vagrantfile import TOP

pytestmark = [pytest.mark.slow, pytest.mark.long]
SITE = load.load_file(load.LAB)
MIB = 1 << 20
Machines = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vagrant")


@pytest.fixture(scope="module")
def read(home: Path) -> dict[str, Machines]:
    return vagrantfile.machines(home)


@pytest.fixture(params=["libvirt", "virtualbox"])
def machines(read: dict[str, Machines], request: pytest.FixtureRequest) -> Machines:
    return read[request.param]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all commands before `vagrant up` were run, as the page has them."""
    host = BuildHost(tmp_path_factory.mktemp("checkout"))
    copy_vagrant(host.folder)
    with Walk("docs/howto/vagrant.md", {"build-host": host.run}) as page:
        page.to_the_end()
    return host.folder


def copy_vagrant(folder: Path) -> None:
    shutil.copy(TOP / "Vagrantfile", folder)
    shutil.copytree(TOP / "vagrant", folder / "vagrant")


def validate(folder: Path, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["vagrant", "validate", *options], cwd=folder, env=vagrantfile.environment(home),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_vagrant_takes_the_file_after_the_commands_of_the_page(prepared: Path, home: Path) -> None:
    # With the provider that is there, libvirt, and as far as no provider is asked.
    for options in ((), ("--ignore-provider",)):
        done = validate(prepared, home, *options)
        assert done.returncode == 0, done.stdout + done.stderr


def test_vagrant_names_all_that_was_not_made(home: Path, tmp_path: Path) -> None:
    copy_vagrant(tmp_path)
    done = validate(tmp_path, home)
    assert done.returncode == 1
    assert "missing: repo" in done.stderr and f"{tmp_path}/target.preseed must exist" in done.stderr


def test_the_machines_are_the_laboratorys(machines: Machines) -> None:
    assert {name: one["networks"][0]["ip"] for name, one in machines.items()} == {
        host.name: host.address for host in topology.HOSTS.values()
    }
    for name, one in machines.items():
        assert one["hostname"] == name
        # The first network is Vagrant's own, eth0; this is the second, and the only other one.
        assert SITE.network.interface == "eth1" and len(one["networks"]) == 1
        assert one["networks"][0]["netmask"] == "255.255.255.0" and topology.PREFIX_LENGTH == 24


def test_memory_is_the_laboratorys(read: dict[str, Machines]) -> None:
    for one in read["libvirt"].values():
        assert one["memory"] == qemu.MEMORY_MEGABYTES
    for one in read["virtualbox"].values():
        assert ["modifyvm", "id", "--memory", str(qemu.MEMORY_MEGABYTES)] in one["commands"]


def test_the_disk_is_the_laboratorys(read: dict[str, Machines]) -> None:
    assert SITE.storage.device == f"/dev/disk/by-id/virtio-{topology.LUN_SERIAL}"
    for name, host in topology.HOSTS.items():
        disks = [(disk["bus"], disk["serial"], disk["size"]) for disk in read["libvirt"][name]["disks"]]
        assert disks == ([("virtio", topology.LUN_SERIAL, f"{topology.LUN_BYTES >> 30}G")] if host.lun else [])
        commands = {command[0]: command for command in read["virtualbox"][name]["commands"]}
        assert ("storageattach" in commands) is host.lun
        if host.lun:
            assert commands["createmedium"][-2:] == ["--size", topology.LUN_BYTES // MIB]
            rule = (TOP / "vagrant" / "disk.sh").read_text(encoding="utf-8")
            assert f'SYMLINK+="{SITE.storage.device.removeprefix("/dev/")}"' in rule


def test_each_machine_gets_its_package_its_answers_and_all_names(machines: Machines, prepared: Path) -> None:
    known = {line.split()[1]: line.split()[0] for line in topology.hosts_file().splitlines()[1:]}
    for name, one in machines.items():
        answers, last = one["provisioners"][-2:]
        package, repository, place, *hosts = last["args"]
        assert package == install.PACKAGES[name]
        assert dict(reversed(host.split("=")) for host in hosts) == known
        assert [(folder["type"], folder["hostpath"], folder["guestpath"]) for folder in one["folders"]] == [
            ("rsync", "repo", repository)
        ]
        assert f"URIs: file:{repository}/\n" in (prepared / "repo" / "nfsha.sources").read_text(encoding="utf-8")
        assert answers["destination"] == place
        made = prepared / answers["source"]
        assert made.stat().st_mode & 0o777 == 0o600
        text = made.read_text(encoding="utf-8")
        assert text.startswith(f"# Answers for {package} on {install.HOSTS[name]};")
        assert (f"{package}/format boolean true" in text) is (name == SITE.nodes[0].name)


def test_no_secret_is_an_argument(read: dict[str, Machines], prepared: Path) -> None:
    secrets = re.findall(r'"(.+)"', (prepared / "secrets").read_text(encoding="utf-8"))
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in str(read)]


@pytest.mark.parametrize(("there", "reboots"), [("true", []), ("false", ["reboot"])])
def test_a_node_is_rebooted_only_for_a_kernel_with_ocfs2(home: Path, there: str, reboots: list[str]) -> None:
    # Vagrant's machine is played: to it belongs a running one.
    play = f"""
        require "vagrant"
        load "{TOP}/Vagrantfile"
        communicator = Object.new
        def communicator.test(command, options) = {there} && command.include?("ocfs2") && options[:sudo]
        guest = Object.new
        def guest.capability(name) = puts(name)
        BootOtherKernel.new(Struct.new(:communicate, :guest).new(communicator, guest), nil).provision
    """
    env = vagrantfile.environment(home)
    done = subprocess.run(["/usr/bin/ruby", "-e", play], env=env, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == reboots


@pytest.mark.parametrize(("status", "called"), [(0, []), (1, ["update", "install", "remove"])])
def test_a_node_gets_a_kernel_only_where_it_has_no_ocfs2(tmp_path: Path, status: int, called: list[str]) -> None:
    for name, text in {"modprobe": f"exit {status}", "apt-get": f'echo "$*" >>{tmp_path}/called'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "called").touch()
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    subprocess.run([TOP / "vagrant" / "kernel.sh"], env=env, check=True, timeout=60)
    assert [line.split()[0] for line in (tmp_path / "called").read_text(encoding="utf-8").splitlines()] == called
