"""Two releases of Debian in one cluster, as while its nodes are upgraded one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from nfsha_lab.cluster import Cluster
from nfsha_lab.image import Image, find_or_make
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine
from tests.reader import Reader, renew, typed

pytestmark = pytest.mark.long

_OTHER = {"bookworm": ("trixie", "13"), "trixie": ("bookworm", "12")}


@contextmanager
def renewed(machine: Machine, image: Image) -> Iterator[None]:
    """A new machine in the old one's place, of another release, until the context ends; then it is off."""
    before = machine.qemu
    machine.crash()
    machine.qemu = replace(before, image=image)
    try:
        renew(machine, "root")
        yield
    finally:
        machine.crash()
        machine.qemu = before


def test_a_mixed_pair(cluster: Cluster, load: Load, reader: Reader) -> None:
    """The standby comes back with another release: it serves, hands back, and takes over from a node that dies."""
    old = reader.look()
    new = cluster.other(old)
    release, number = _OTHER[cluster.lab.release]
    image = find_or_make(cluster.lab.folders, release)
    with cluster.one_server_at_most():
        typed(new, "nfsha maintenance on && apt-get purge nfsha-node")
        with renewed(new, image):
            assert f'VERSION_ID="{number}"' in new.succeed("cat /etc/os-release")
            reader.install(new)
            assert cluster.settle() is old
            for heir in (new, old):
                old.succeed("nfsha switchover")
                load.wait_until_writes()
                assert cluster.settle() is heir
            old.crash()
            load.wait_until_writes()
            assert cluster.serving() is new
            old.start()
            old.wait_until_booted()
            assert cluster.settle() is new
            cluster.assert_healthy()
            load.stop_and_check(crash=True)
