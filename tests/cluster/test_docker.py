"""A plain Debian machine installs from what the containers of docker/ serve, and upgrades to a next revision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.build import source
from nfsha_config.build.changelog import release
from nfsha_config.site import load
from nfsha_lab.install import PACKAGES, find_or_build
from nfsha_lab.lab import Lab
from nfsha_lab.machine import Machine
from tests.containers import Containers, containers
from tests.engine import Engine
from tests.pages import Walk

pytestmark = pytest.mark.long
SITE = load.LAB.read_text(encoding="utf-8")
SOURCES = "/etc/apt/sources.list.d/nfsha.sources"
INSTALL_SECONDS = 1500.0


@pytest.fixture
def served(engine: Engine) -> Iterator[Containers]:
    with containers(engine) as made:
        assert made.up() == 0, made.log()
        yield made


@pytest.fixture
def machine(plain: Lab) -> Machine:
    """The machine with the disk, just booted, with the answers of its site and nothing else of nfsha on it."""
    machine = plain["iscsi"]
    machine.write_file("/root/preseed", find_or_build(plain.folders).preseed(machine.name).read_text(), 0o600)
    machine.succeed("debconf-set-selections /root/preseed && rm /root/preseed")
    return machine


def test_a_machine_installs_and_upgrades_from_the_containers(
    machine: Machine, plain: Lab, served: Containers, tmp_path: Path
) -> None:
    package = PACKAGES[machine.name]
    uri = plain.serve_from(served.port)
    machine.write_file("/etc/apt/apt.conf.d/zz-story", 'APT { Get::Assume-Yes "true"; Install-Recommends "false"; };\n')

    def typed(command: str) -> str:
        return machine.succeed(f"export DEBIAN_FRONTEND=noninteractive; exec 2>&1; {command}", INSTALL_SECONDS)

    values = {"http://BUILDHOST:8080/": uri, "nfsha-node": package}
    with Walk("docs/howto/docker.md", {"machine": typed}, values, only=["machine"]) as page:
        page.to_the_end()
    machine.succeed(f"grep -x 'URIs: {uri}' {SOURCES}")
    assert _version(machine, package) == _expected(SITE)
    machine.wait_for_unit("nfsha-target.service", INSTALL_SECONDS)

    new = SITE.replace("revision = 1", "revision = 2")
    (tmp_path / "site.toml").write_text(new, encoding="utf-8")
    assert served.up(site=tmp_path / "site.toml") == 0, served.log()
    typed("apt-get update --error-on=any")
    typed("apt-get upgrade")
    assert _version(machine, package) == _expected(new) != _expected(SITE)
    assert machine.failed_units() == []


def _version(machine: Machine, package: str) -> str:
    return machine.succeed(f"dpkg-query --show --showformat='${{Version}}' {package}")


def _expected(site: str) -> str:
    return source.version(load.load(site, "test"), release())
