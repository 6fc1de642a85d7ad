"""What all nodes must have alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nfsha_config.host import agreement, report, status
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError
from nfsha_config.site import load
from tests.unit.site.texts import changed

LAB = load.LAB.read_text(encoding="utf-8")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """nfs1, where the state volume is mounted and nfs2 runs with the laboratory's site."""
    paths = Paths(tmp_path)
    paths.site.parent.mkdir(parents=True)
    paths.site.write_text(LAB)
    paths.shared("x").parent.mkdir(parents=True)
    agreement.publish("nfs2", paths)
    return paths


def problems(change: dict[str, object], paths: Paths, node: str = "nfs1") -> list[str]:
    try:
        agreement.check(changed(change), node, paths)
    except InputError as error:
        return str(error).splitlines()
    return []


HINT = "take that value; or change the site, raise cluster.revision above 1 and install it on all nodes"


def test_another_value_is_refused_with_every_key(paths: Paths) -> None:
    assert problems({"network.router_id": 77, "timings.nfs_lease": 30}, paths) == [
        f"nfs2: network.router_id = 77: is 101 there ({HINT})",
        f"nfs2: timings.nfs_lease = 30: is 15 there ({HINT})",
    ]
    assert problems({}, paths) == []


def test_a_new_revision_is_rolled_out_node_by_node(paths: Paths) -> None:
    assert problems({"cluster.revision": 2, "network.router_id": 77}, paths) == []
    paths.site.write_text(LAB.replace("revision = 1", "revision = 2").replace("router_id = 101", "router_id = 77"))
    agreement.publish("nfs2", paths)
    assert problems({}, paths) == [
        "nfs2: network.router_id = 101: is 77 there (install revision 2 of the site here, as it is on nfs2)"
    ]
    assert problems({"cluster.revision": 2, "network.router_id": 77}, paths) == []


def test_a_revision_is_rolled_back_node_by_node(paths: Paths) -> None:
    newer = LAB.replace("revision = 1", "revision = 2").replace("router_id = 101", "router_id = 77")
    paths.site.write_text(newer)
    agreement.publish("nfs2", paths)
    configured = paths.configured_site("nfsha-node")
    configured.parent.mkdir(parents=True)
    # A node that was away when it was rolled out is not one that goes back.
    configured.write_text(LAB)
    assert len(problems({}, paths)) == 1
    configured.write_text(newer)
    assert problems({}, paths) == []
    assert len(problems({"cluster.revision": 2}, paths)) == 1
    # The next one finds both of the older one.
    paths.site.write_text(LAB)
    agreement.publish("nfs2", paths)
    assert problems({}, paths) == []
    # And can't go on to a third value.
    assert len(problems({"timings.nfs_lease": 30}, paths)) == 1


def test_what_is_a_nodes_own_may_differ(paths: Paths) -> None:
    own = {"network.interface": "eth9", "client.mount_point": "/other", "storage.device": "/dev/disk/by-id/other"}
    assert problems(own, paths) == []


def test_nothing_is_refused_where_nothing_is_known(paths: Paths) -> None:
    other: dict[str, object] = {"network.router_id": 77}
    assert problems(other, paths, "nfs2") == [], "what a node itself had before does not bind it"
    paths.shared("site.nfs2.toml").write_text(f"{LAB}\n[later]\nkey = 1\n")
    assert problems(other, paths) == []
    paths.shared("site.nfs2.toml").unlink()
    assert problems(other, paths) == []


def test_a_node_that_reports_shows_its_site(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def end(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "here", end)
    with pytest.raises(KeyboardInterrupt):
        report.main(paths)
    assert paths.shared(f"site.{os.uname().nodename}.toml").read_text() == LAB
