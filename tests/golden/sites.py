"""The sites whose files are kept whole, and what is rendered for each host of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config import render
from nfsha_config.render import ManagedFile
from nfsha_config.site import load
from nfsha_config.site.model import Site
from nfsha_config.site.secrets import Secrets

HERE = Path(__file__).parent
SITES: dict[str, Site] = {
    "lab": load.load_file(load.LAB),
    "three": load.load_file(HERE / "three" / "site.toml"),
}
SECRETS = Secrets("the-nodes-golden-secret", "the-targets-golden-secret")
HOSTS = {
    f"{name}/{host}": (name, host)
    for name, site in SITES.items()
    for host in (*(node.name for node in site.nodes), "target", "client")
}
EACH_HOST = pytest.mark.parametrize(("name", "host"), HOSTS.values(), ids=HOSTS)
"""For tests that look at every host of every site."""


def rendered(name: str, host: str) -> tuple[ManagedFile, ...]:
    """All files of a host."""
    return render.files(host, SITES[name], SECRETS)
