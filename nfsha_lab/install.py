"""From the checkout to the running cluster: build the repository, preseed, apt install, on each machine."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from nfsha_lab import process, tree
from nfsha_lab.cluster import Cluster
from nfsha_lab.folders import CHECKOUT, Folders
from nfsha_lab.lab import Lab, parallel
from nfsha_lab.load import make_directory
from nfsha_lab.log import step
from nfsha_lab.machine import Machine
from nfsha_lab.topology import REPOSITORY_ADDRESS

PACKAGES = {"iscsi": "nfsha-iscsi-target", "nfs1": "nfsha-node", "nfs2": "nfsha-node", "client": "nfsha-client"}
HOSTS = {"iscsi": "target", "nfs1": "nfs1", "nfs2": "nfs2", "client": "client"}
_MADE_FROM = ("debian", "nfsha_config", "packages", "setup.py", "setup.cfg")
_PYTHON = "/usr/bin/python3"
_BUILD_SECONDS = 900.0
INSTALL_SECONDS = 1500.0
_KEPT = 3


@dataclass(frozen=True)
class Repository:
    """A built repository with the secrets and the answers of its site; key says what it was made from."""

    folder: Path
    key: str

    @property
    def archive(self) -> Path:
        """What is served: pool, dists, nfsha.sources."""
        return self.folder / "apt"

    def preseed(self, machine: str) -> Path:
        """The debconf answers for one machine, mode 0600."""
        return self.folder / f"{machine}.preseed"


def find_or_build(folders: Folders) -> Repository:
    """The repository of this checkout, built unless the cache has it."""
    key = source_key()
    final = folders.cache / "repositories" / key
    repository = Repository(final, key)
    if not final.exists():
        final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        making = final.with_name(f"making-{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        with step("building the packages and the repository"):
            _build(Repository(making, key))
        making.rename(final)
        _discard_old(final)
    return repository


def source_key() -> str:
    """A name for what the packages are made from: 16 hexadecimal digits."""
    tops = [CHECKOUT / name for name in _MADE_FROM]
    paths = [path for top in tops for path in (sorted(top.rglob("*")) if top.is_dir() else [top])]
    made = {"__pycache__", ".debhelper"}
    return tree.digest((path for path in paths if path.is_file() and not made & set(path.parts)), CHECKOUT)[:16]


def install(lab: Lab, repository: Repository) -> Cluster:
    """Install nfsha on the four booted machines by apt alone, wait until the cluster is whole, make a work folder."""
    lab.serve(repository.archive)
    with step("installing by apt on all four machines"):
        parallel(lambda machine: apt_install(machine, repository), lab.all)
    cluster = Cluster(lab)
    cluster.settle(INSTALL_SECONDS)
    make_directory(cluster)
    cluster.settle()
    return cluster


def apt_install(machine: Machine, repository: Repository) -> None:
    """What an administrator does: a source, the answers, apt."""
    package = PACKAGES[machine.name]
    machine.copy_in(repository.archive / "nfsha.sources", "/etc/apt/sources.list.d/nfsha.sources")
    machine.write_file("/root/preseed", repository.preseed(machine.name).read_text(), 0o600)
    machine.succeed("debconf-set-selections /root/preseed && rm /root/preseed")
    machine.succeed("apt-get update --quiet", 300)
    machine.succeed(
        f"DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends {package} "
        f">/root/apt.log 2>&1 || {{ cat /root/apt.log; false; }}",
        INSTALL_SECONDS,
    )


def _build(repository: Repository) -> None:
    secrets = repository.folder / "secrets"
    _nfsha("secrets", "init", str(secrets))
    _nfsha("build", "--out", str(repository.archive), "--uri", f"http://{REPOSITORY_ADDRESS}/")
    for machine, host in HOSTS.items():
        consent = ["--consent-to-format"] if machine == "nfs1" else []
        out = str(repository.preseed(machine))
        _nfsha("preseed", host, "--secrets", str(secrets), "--out", out, *consent)


def _nfsha(*words: str) -> None:
    process.run([_PYTHON, "-m", "nfsha_config", *words], timeout=_BUILD_SECONDS, cwd=CHECKOUT)


def _discard_old(newest: Path) -> None:
    made = sorted(newest.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in made[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
