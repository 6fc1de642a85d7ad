"""Which files each package has on a machine. The templates' folder is laid out as the machine."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from pathlib import Path

from nfsha_config import paths
from nfsha_config.problems import NfshaError
from nfsha_config.render.managed import ManagedFile, Owned
from nfsha_config.render.templating import environment
from nfsha_config.render.unitname import escape_path
from nfsha_config.site.model import PREVAILS, Node, Site
from nfsha_config.site.secrets import Secrets

RESIDENT = (
    "nfsha-clients.service", "nfsha-fence.service", "nfsha-health.service", "nfsha-journals.service",
    "nfsha-names.service", "nfsha-status.service",
)  # fmt: skip
"""What runs on a node beside the service all the time: it is started anew with a new site, and with a new program."""

TARGET, NODE, CLIENT = PACKAGES = ("nfsha-iscsi-target", "nfsha-node", "nfsha-client")
_UCF = ("/etc/keepalived/keepalived.conf", "/etc/ocfs2/cluster.conf")
_SECRET = ("/etc/tgt/conf.d/nfsha.conf", "/run/nfsha/iscsid.conf")
_TEMPLATE = ".j2"


def package_of(host: str, site: Site) -> str:
    """The package for a host: a node by its name, "target" or "client". Raises NfshaError for another name."""
    if host == "target":
        return TARGET
    if host == "client":
        return CLIENT
    if site.node(host):
        return NODE
    known = ", ".join([node.name for node in site.nodes] + ["target", "client"])
    raise NfshaError(f"{host}: is not a host of site {site.cluster.name} (take one of: {known})")


def packaged(package: str, site: Site, site_text: str) -> tuple[ManagedFile, ...]:
    """What the .deb holds; all of it below /usr."""
    own = ManagedFile(f"/usr/share/{package}/site.toml", site_text, 0o644, Owned.PACKAGE)
    return (own, *_walk(package, site, None, None, (Owned.PACKAGE,)))


def configured(package: str, site: Site, node: Node | None) -> tuple[ManagedFile, ...]:
    """What `nfsha configure` writes on a machine; node is the machine's own, for the package of a node."""
    return tuple(_walk(package, site, node, None, (Owned.CONFIGURE, Owned.UCF)))


def files(host: str, site: Site, secrets: Secrets | None) -> tuple[ManagedFile, ...]:
    """Everything for a host; the files with secrets only when they are given."""
    package = package_of(host, site)
    wanted = [owned for owned in Owned if secrets is not None or owned is not Owned.SECRET]
    return tuple(_walk(package, site, site.node(host), secrets, wanted))


def tgt_conf(site: Site, secrets: Secrets) -> ManagedFile:
    """tgtd's description of the LUN, targets.conf(5)."""
    return _secret(TARGET, "/etc/tgt/conf.d/nfsha.conf", site, secrets)


def iscsid_conf(site: Site, secrets: Secrets) -> ManagedFile:
    """The defaults from which iscsiadm(8) makes the node record."""
    return _secret(NODE, "/run/nfsha/iscsid.conf", site, secrets)


def _secret(package: str, path: str, site: Site, secrets: Secrets) -> ManagedFile:
    text = _render(f"{package}{path}{_TEMPLATE}", package, site, None, secrets)
    return ManagedFile(path, text, 0o600, Owned.SECRET)


def _walk(
    package: str, site: Site, node: Node | None, secrets: Secrets | None, wanted: Container[Owned]
) -> Iterator[ManagedFile]:
    folder = paths.templates() / package
    for source in sorted(_sources(folder)):
        relative = source.relative_to(folder)
        path = _place(f"/{relative}".removesuffix(_TEMPLATE), site)
        owned = _owned(path)
        if owned not in wanted:
            continue
        if source.suffix == _TEMPLATE:
            text = _render(f"{package}/{relative}", package, site, node, secrets)
        else:
            text = source.read_text(encoding="utf-8")
        if not text:
            # A file that this site does not need.
            continue
        mode = 0o600 if owned is Owned.SECRET else 0o755 if os.access(source, os.X_OK) else 0o644
        yield ManagedFile(path, text, mode, owned)


def _sources(folder: Path) -> Iterator[Path]:
    for top in ("etc", "run", "usr"):
        yield from (path for path in (folder / top).rglob("*") if path.is_file())


def _owned(path: str) -> Owned:
    if path.startswith("/usr/"):
        return Owned.PACKAGE
    if path in _SECRET:
        return Owned.SECRET
    return Owned.UCF if path in _UCF else Owned.CONFIGURE


def _place(path: str, site: Site) -> str:
    """Unit files that stand for a path are named by it; their templates by a word in capitals."""
    for word, stands_for in {
        "CLIENT_MOUNT": site.client.mount_point,
        "STATE_DEVICE": f"{site.lun_path}-part1",
        "DATA_DEVICE": f"{site.lun_path}-part2",
    }.items():
        path = path.replace(f"/{word}.", f"/{escape_path(stands_for)}.")
    return path


def _render(template: str, package: str, site: Site, node: Node | None, secrets: Secrets | None) -> str:
    clients = dict.fromkeys(client for export in site.exports for client in export.clients)
    options = [option for export in site.exports for option in export.options]
    ways = [option for option in options if option == "insecure" or option.startswith("sec=")]
    first = site.exports[0].path.removeprefix(paths.EXPORT_ROOT)
    values = {
        "header": f"Managed by nfsha: change /etc/nfsha/site.toml, then run `nfsha configure {package}`.",
        "site": site, "node": node, "secrets": secrets,
        "peers": [other for other in site.nodes if other != node],
        "export_root": paths.EXPORT_ROOT, "state_mount": paths.STATE_MOUNT, "data_mount": paths.DATA_MOUNT,
        "root_clients": list(clients), "root_options": ["ro", "sync", "no_subtree_check", "fsid=0", *ways],
        "client_export": first, "prevails": PREVAILS,
    }  # fmt: skip
    return environment().get_template(template).render(values)
