"""From a Site to files: pure, the same on the build host and on a machine."""

from nfsha_config.render.files import (
    CLIENT,
    NODE,
    PACKAGES,
    RESIDENT,
    TARGET,
    configured,
    files,
    iscsid_conf,
    package_of,
    packaged,
    tgt_conf,
)
from nfsha_config.render.managed import ManagedFile, Owned
from nfsha_config.render.templating import environment

__all__ = [
    "CLIENT", "NODE", "PACKAGES", "RESIDENT", "TARGET", "ManagedFile", "Owned", "configured", "environment", "files",
    "iscsid_conf", "package_of", "packaged", "tgt_conf",
]  # fmt: skip
