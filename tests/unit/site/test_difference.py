"""What differs between two sites."""

from __future__ import annotations

from nfsha_config.site import load
from nfsha_config.site.difference import differences, worst
from nfsha_config.site.model import Site
from tests.unit.site.texts import changed

LAB = load.LAB.read_text(encoding="utf-8")
SITE = load.load(LAB, "lab")


def lines(before: Site, after: Site) -> list[str]:
    return [f"{one}: {one.cost}" for one in differences(before, after)]


def test_a_site_does_not_differ_from_itself() -> None:
    assert differences(SITE, load.load(f"# a comment\n{LAB}", "lab")) == ()
    assert worst(()) == "reload"


def test_values_are_shown_as_they_are_typed() -> None:
    after = changed({"network.witnesses": ["192.168.50.1"], "storage.size": "2GiB", "timings.vrrp_interval": 0.5})
    assert lines(SITE, after) == [
        "network.witnesses: none -> 192.168.50.1: reload",
        "storage.size: 1GiB -> 2GiB: outage",
        "timings.vrrp_interval: 1 -> 0.5: reload",
    ]
    assert worst(differences(SITE, after)) == "outage"


def test_another_order_of_nodes_makes_other_nodes() -> None:
    first, second = '"nfs1"\naddress = "192.168.50.11"', '"nfs2"\naddress = "192.168.50.12"'
    after = load.load(LAB.replace(first, "FIRST").replace(second, first).replace("FIRST", second), "other")
    assert lines(SITE, after) == [
        "node[1].name: nfs1 -> nfs2: outage",
        "node[2].name: nfs2 -> nfs1: outage",
        "node[1].address: 192.168.50.11 -> 192.168.50.12: outage",
        "node[2].address: 192.168.50.12 -> 192.168.50.11: outage",
    ]
