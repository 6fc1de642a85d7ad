"""What the pages have a reader type on the build host is typed here, in their order, from nothing to an older revision."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfsha_config.build import preseed, source
from nfsha_config.build.changelog import release
from nfsha_config.site import load, secrets
from tests.buildhost import BuildHost
from tests.pages import Walk

pytestmark = pytest.mark.slow

TUTORIAL = "docs/tutorial/first-cluster.md"
# The commands of other machines are for tests/cluster/test_howto.py.
OURS = ("build-host", "site.toml", "edit")
# The page's server listens on all addresses, and on a port that this machine may use otherwise.
VALUES = {"--bind 0.0.0.0": "--port 0", "http://0.0.0.0:8080/": "http://127.0.0.1:..."}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildHost]:
    made = BuildHost(tmp_path_factory.mktemp("build-host"))
    yield made
    made.close()


def walk(host: BuildHost, page: str) -> None:
    """Type all that the page has for the build host."""
    places = {"build-host": host.run, "site.toml": host.write_site, "edit": host.edit_site}
    with Walk(page, places, VALUES, only=OURS) as steps:
        steps.to_the_end()


def test_the_tutorial_ends_with_a_repository_that_is_served(host: BuildHost) -> None:
    walk(host, TUTORIAL)
    site = load.load_file(host.site)
    given = (host.folder / "nfs1.preseed").read_text(encoding="utf-8")
    assert given == preseed.text("nfs1", site, secrets.load(host.folder / "secrets"), format_lun=True)
    address = host.said.rpartition(" ")[2].strip()
    with urllib.request.urlopen(f"{address}nfsha.sources", timeout=60) as served:
        assert served.read() == (host.folder / "repo" / "nfsha.sources").read_bytes()


def test_a_revision_is_rolled_out_and_back(host: BuildHost) -> None:
    """apt sees it come and go: what is served last is what it would install."""
    walk(host, "docs/howto/roll-out-and-back.md")
    assert load.load_file(host.site).cluster.revision == 1
    assert [path.name for path in (host.folder / "repo").rglob("nfsha-node_*")] == [
        f"nfsha-node_{source.version(load.load_file(host.site), release())}_all.deb"
    ]


def test_new_secrets_are_made_beside_the_old_ones(host: BuildHost) -> None:
    before = (host.folder / "secrets").read_bytes()
    walk(host, "docs/howto/change-a-setting.md")
    assert (host.folder / "secrets").read_bytes() == before != (host.folder / "secrets-new").read_bytes()


def test_the_readme_builds_the_laboratorys_site(tmp_path: Path) -> None:
    host = BuildHost(tmp_path)
    try:
        walk(host, "README.md")
        assert host.site.read_bytes() == load.LAB.read_bytes()
        assert "URIs: http://BUILDHOST:8080/" in (tmp_path / "repo" / "nfsha.sources").read_text(encoding="utf-8")
    finally:
        host.close()
