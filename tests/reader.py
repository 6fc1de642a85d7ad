"""Somebody who follows a page in the laboratory: types its commands on the build host and on the machines."""

from __future__ import annotations

import re
import shutil
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from nfsha_config.site import load as site_load
from nfsha_lab.cluster import SITE, Cluster
from nfsha_lab.errors import ProductError
from nfsha_lab.install import PACKAGES, Repository
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.topology import LUN_BYTES, REPOSITORY_ADDRESS
from tests.buildhost import BuildHost
from tests.pages import Walk, edited

LAB = site_load.load_file(site_load.LAB)
_SECONDS = 1800.0
# What a person answers whom apt and debconf ask.
_YES = "/root/yes.conf"
_TYPED = f"export DEBIAN_FRONTEND=noninteractive APT_CONFIG={_YES}; exec 2>&1; "
REBOOT = "systemctl reboot"

VALUES = {
    "http://192.0.2.5:8080/": f"http://{REPOSITORY_ADDRESS}/",
    "--bind 0.0.0.0": "--port 0",
    "http://0.0.0.0:8080/": "http://127.0.0.1:...",
    "192.0.2.": "192.168.50.",
    # The new network, in the same cable.
    "198.51.100.": "192.168.60.",
    "enp1s0": LAB.network.interface,
    "/dev/disk/by-id/DISK": LAB.storage.device,
    "1000204886016": str(LUN_BYTES),
}
"""What a reader's pages have, and the laboratory has instead."""


class Reader:
    """One reader with a folder of their own. `serving` and `standby` are who was so when the reader last looked."""

    def __init__(self, cluster: Cluster, folder: Path, repository: Repository | None = None) -> None:
        """With a repository, its secrets, site and signing key are the reader's; else all is still to be made."""
        self.cluster, self.repository = cluster, repository
        self.host = BuildHost(folder, own_key=repository is None)
        self.named: dict[str, list[Machine]] = {
            "disk": [cluster.target], "client": [cluster.client], "nfs1": cluster.nodes[:1], "nfs2": cluster.nodes[1:],
        }  # fmt: skip
        if repository is not None:
            self.host.run("alias nfsha='/usr/bin/python3 -m nfsha_config'")
            self.host.write_site(site_load.LAB.read_text(encoding="utf-8"))
            shutil.copy(repository.folder / "secrets", folder / "secrets")
            # An earlier story may have shown another one.
            cluster.lab.serve(repository.archive)
        for machine in cluster.lab.all:
            machine.write_file(_YES, 'APT::Get::Assume-Yes "true";\n')

    def walk(self, page: str, values: Mapping[str, str] | None = None, only: Container[str] | None = None) -> Walk:
        """Begin with a page. More values stand for words of the page; `only` are the places whose commands are typed."""
        typing = {name: lambda command, name=name: self._type(name, command) for name in _PLACES}
        files = {"site.toml": self.host.write_site, "edit": self.host.edit_site, "edit-on-nodes": self._edit_on_nodes}
        return Walk(page, {**typing, "build-host": self.host.run, **files}, {**(values or {}), **VALUES}, only)

    def look(self) -> Machine:
        """Wait until the cluster is whole, and note who serves; that node."""
        active = self.cluster.settle()
        standby = self.cluster.other(active)
        self.named |= {"serving": [active], "standby": [standby], "nodes": [standby, active]}
        return active

    def call(self, **machines: Machine) -> None:
        """Give machines the names that a page has for them."""
        self.named |= {name: [machine] for name, machine in machines.items()}

    def _type(self, place: str, command: str) -> str:
        return [typed(machine, command) for machine in self.named[place]][-1]

    def _edit_on_nodes(self, part: str) -> str:
        for node in self.cluster.nodes:
            node.write_file(SITE, edited(node.read_file(SITE).decode(), part))
        return ""

    def publish(self) -> None:
        """Let the machines see what the reader built last."""
        self.cluster.lab.serve(self.host.folder / "repo")

    def roll_out(self, machines: Iterable[Machine]) -> None:
        """What a page means by "roll it out": a new revision, built, and installed on these machines in this order."""
        text = self.host.site.read_text(encoding="utf-8")
        self.host.write_site(re.sub(r"(?m)^revision = (\d+)$", lambda found: f"revision = {int(found[1]) + 1}", text))
        with step("rolling a revision out"):
            self.host.run(f"scripts/build-repo --site site.toml --out repo --uri http://{REPOSITORY_ADDRESS}/")
            self.publish()
            for machine in machines:
                typed(machine, f"apt-get update && apt-get install --only-upgrade {PACKAGES[machine.name]}")

    def bring(self, machine: Machine, *, consent: bool = False) -> None:
        """Bring nfsha.sources and the answers to a machine on which nfsha is not installed yet."""
        name = {"iscsi": "target"}.get(machine.name, machine.name)
        if self.repository is not None and not (self.host.folder / "repo").exists():
            sources = self.repository.archive / "nfsha.sources"
        else:
            sources = self.host.folder / "repo" / "nfsha.sources"
        machine.copy_in(sources, "/root/nfsha.sources")
        words = " --consent-to-format" if consent else ""
        self.host.run(f"nfsha preseed {name} --site site.toml --secrets secrets --out answers{words}")
        machine.write_file("/root/answers", (self.host.folder / "answers").read_text(encoding="utf-8"), 0o600)
        machine.succeed("debconf-set-selections /root/answers && rm /root/answers")
        machine.write_file(_YES, 'APT::Get::Assume-Yes "true";\n')

    def install(self, machine: Machine) -> None:
        """On a new machine without nfsha, what apt needs no answer for any more."""
        self.bring(machine)
        typed(machine, "cp /root/nfsha.sources /etc/apt/sources.list.d/ && apt-get update")
        typed(machine, f"apt-get install --no-install-recommends {PACKAGES[machine.name]}")


_PLACES = ("disk", "client", "nfs1", "nfs2", "serving", "standby", "nodes", "node", "other", "old", "new")


def typed(machine: Machine, command: str, *, apart: float = 0.0) -> str:
    """What a root shell of the machine prints for a command, which must succeed.

    With `apart`, seconds, it may take that long and restart the laboratory's agent, which runs commands otherwise.
    """
    if command == REBOOT:
        machine.reboot()
        machine.wait_until_booted()
        return ""
    done = machine.run_apart(_TYPED + command, apart) if apart else machine.run(_TYPED + command, _SECONDS)
    if done.status != 0:
        raise ProductError(f"{machine.name}: exit status {done.status}: {command}\n{done.out}{done.err}")
    return done.out


def assert_dpkg_is_done(machine: Machine) -> None:
    """No package is left half-way."""
    assert machine.succeed("dpkg --audit").strip() == ""


def assert_unasked(machine: Machine, package: str) -> None:
    """A package is installed, dpkg has nothing left to do, and no file of /etc was in question."""
    assert_dpkg_is_done(machine)
    machine.succeed(f"dpkg-query --show --showformat '${{db:Status-Abbrev}}' {package} | grep ii")
    machine.fail(r"find /etc -name '*.dpkg-*' -o -name '*.ucf-*' | grep .")


def renew(machine: Machine, *disks: str) -> None:
    """A new machine of the same name in the old one's place, with new disks: "root", "lun"."""
    with step(f"{machine.name}: replaced by a new machine"):
        machine.crash()
        for disk in machine.qemu.disks:
            if disk.stem in disks:
                disk.unlink()
        machine.start()
        machine.wait_until_booted()
