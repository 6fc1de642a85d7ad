"""From a Site to files: pure, the same on the build host and on a machine."""

from nfsha_config.render.files import PACKAGES, RESIDENT, configured, files, iscsid_conf, package_of, packaged, tgt_conf
from nfsha_config.render.managed import ManagedFile, Owned
from nfsha_config.render.templating import environment

__all__ = [
    "PACKAGES", "RESIDENT", "ManagedFile", "Owned", "configured", "environment", "files", "iscsid_conf", "package_of",
    "packaged", "tgt_conf",
]  # fmt: skip
