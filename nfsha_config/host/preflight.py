"""What a node's kernel must have, said before anything is done."""

from __future__ import annotations

import os

from nfsha_config.paths import Paths
from nfsha_config.problems import Refused
from nfsha_config.run import run

_MODULES = ("ocfs2", "ocfs2_stack_o2cb", "iscsi_tcp", "nfsd")


def main(paths: Paths) -> None:
    """Raise Refused when the running kernel lacks a module that a node needs."""
    missing = [name for name in _MODULES if not _has(name, paths)]
    if missing:
        release = os.uname().release
        flavour = " Debian's cloud kernel has no OCFS2;" if "cloud" in release else ""
        raise Refused(
            f"kernel {release} lacks {', '.join(missing)};{flavour} "
            "install linux-image-amd64, boot it, then: systemctl restart nfsha-node.target"
        )


def _has(module: str, paths: Paths) -> bool:
    loaded = paths.at(f"/sys/module/{module}").exists()
    return loaded or run(["modprobe", "--dry-run", "--quiet", module], check=False).returncode == 0
