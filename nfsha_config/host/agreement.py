"""The settings that all nodes must have alike, against what the other nodes say that they have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nfsha_config.file import read, write
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, Problem
from nfsha_config.render import NODE
from nfsha_config.site import load
from nfsha_config.site.difference import differences
from nfsha_config.site.model import Site


def publish(node: str, paths: Paths) -> None:
    """Show the others the site that this node runs with."""
    write(_place(node, paths), paths.site.read_text(encoding="utf-8"))


def check(site: Site, node: str, paths: Paths) -> None:
    """Raises InputError with each setting that a node has otherwise whose site is as new or newer.

    A site that is rolled out node by node is newer than the others', which may differ then. So may one that is rolled
    back: this node has had their revision, or a newer one, and goes back from it. Where the state volume is not mounted
    nothing is known, and nothing is refused.
    """
    configured = load.known(read(paths.configured_site(NODE)), "configured")
    before = configured.cluster.revision if configured else 0
    for other in site.nodes:
        theirs = _site_of(other.name, paths) if other.name != node else None
        if theirs is None or theirs.cluster.revision < site.cluster.revision:
            continue
        if site.cluster.revision == theirs.cluster.revision or before < theirs.cluster.revision:
            problems = list(_problems(site, theirs, other.name))
            if problems:
                raise InputError(other.name, problems)


def _problems(site: Site, theirs: Site, name: str) -> Iterator[Problem]:
    revision = theirs.cluster.revision
    hint = f"take that value; or change the site, raise cluster.revision above {revision} and install it on all nodes"
    if revision > site.cluster.revision:
        hint = f"install revision {revision} of the site here, as it is on {name}"
    for one in differences(site, theirs):
        if one.setting.shared:
            yield Problem(one.where, f"is {one.text(one.after)} there", hint, one.text(one.before))


def _site_of(node: str, paths: Paths) -> Site | None:
    return load.known(read(_place(node, paths)), node)


def _place(node: str, paths: Paths) -> Path:
    return paths.shared(f"site.{node}.toml")
