"""The settings of the kernel without which a node is no safe server."""

from __future__ import annotations

from nfsha_config.file import content
from nfsha_config.paths import Paths

NEEDED = {"fs.leases-enable": "0", "kernel.panic_on_oops": "1"}
"""By sysctl(8)'s name. nfsha-node's 60-nfsha.conf sets them, and says what for; a later file may win (sysctl.d(5))."""


def wrong(paths: Paths) -> str:
    """Those that are set otherwise, "" for none."""
    found = {key: content(paths.at(f"/proc/sys/{key.replace('.', '/')}")) for key in NEEDED}
    return ", ".join(
        f"{key} is {found[key]}, not {value}" for key, value in NEEDED.items() if found[key] not in ("", value)
    )
