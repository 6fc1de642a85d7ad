"""Every path of a machine that nfsha reads or writes, under a root that tests replace."""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

STATE_MOUNT = "/var/lib/nfs"
DATA_MOUNT = "/srv/nfs4/data"
EXPORT_ROOT = "/srv/nfs4"


@dataclass(frozen=True)
class Paths:
    """The paths below one root ("/" on a machine)."""

    root: Path = Path("/")

    def at(self, absolute: str | Path) -> Path:
        """The place of an absolute path under this root."""
        return self.root / str(absolute).lstrip("/")

    @property
    def site(self) -> Path:
        """The truth about the cluster on this machine."""
        return self.at("/etc/nfsha/site.toml")

    @property
    def secrets(self) -> Path:
        """The CHAP secrets, mode 0600."""
        return self.at("/etc/nfsha/secrets")

    @property
    def host(self) -> Path:
        """What is true of this machine alone: its name in the site, and the consent to format."""
        return self.at("/etc/nfsha/host.toml")

    def packaged_site(self, package: str) -> Path:
        """The site description that an installed site package brought."""
        return self.at(f"/usr/share/{package}/site.toml")

    @property
    def applied_site(self) -> Path:
        """The packaged site as it was merged last: tells an admin's edit from an older revision."""
        return self.at("/var/lib/nfsha/site.base.toml")

    def configured_site(self, package: str) -> Path:
        """The site that the machine was configured with last for a package: tells what a change would cost."""
        return self.at(f"/var/lib/nfsha/{package}.site.toml")

    @property
    def o2cb_defaults(self) -> Path:
        """The shell variables of ocfs2-tools, o2cb.sysconfig(5)."""
        return self.at("/etc/default/o2cb")

    @property
    def o2cb_before(self) -> Path:
        """What the keys in o2cb_defaults were before nfsha set them."""
        return self.at("/var/lib/nfsha/o2cb.before.json")

    @property
    def iscsid_conf(self) -> Path:
        """The defaults of new node records, iscsiadm(8)."""
        return self.at("/etc/iscsi/iscsid.conf")

    def dlm(self, domain: str) -> Path:
        """A domain of OCFS2's lock manager, where o2cb mounts dlmfs (o2cb.init)."""
        return self.at(f"/dlm/{domain}")

    def dlm_state(self, domain: str) -> Path:
        """What OCFS2's lock manager says of a domain (fs/ocfs2/dlm/dlmdebug.c)."""
        return self.at(f"/sys/kernel/debug/o2dlm/{domain}/dlm_state")

    def processes(self, service: str) -> Path:
        """The numbers of a service's processes, a line each (Documentation/admin-guide/cgroup-v2.rst)."""
        return self.at(f"/sys/fs/cgroup/system.slice/{service}/cgroup.procs")

    def now(self, name: str) -> Path:
        """What is true until the next boot, a file each, by which the programs of nfsha-node tell each other."""
        return self.at(f"/run/nfsha/{name}")

    def shared(self, name: str) -> Path:
        """What the nodes tell each other, on the shared state file system."""
        return self.at(f"{STATE_MOUNT}/nfsha/{name}")

    @property
    def maintenance(self) -> Path:
        """Is there while this node shall not serve; nfsha-health.service looks for it."""
        return self.at("/var/lib/nfsha/maintenance")

    @property
    def systemd(self) -> Path:
        """Is there when systemd runs the machine (sd_booted(3)); not in a chroot."""
        return self.at("/run/systemd/system")


def of_user(variable: str, default: str) -> Path:
    """A folder of the user's; the XDG Base Directory Specification wants a relative value of the variable ignored."""
    given = Path(os.environ.get(variable, ""))
    return given if given.is_absolute() else Path.home() / default


def templates() -> Path:
    """The folder with one folder a package, in a checkout or as installed."""
    checkout = Path(__file__).resolve().parent.parent / "packages"
    if checkout.is_dir():
        return checkout
    return Path(sysconfig.get_path("data", "posix_prefix")) / "share" / "nfsha" / "packages"
