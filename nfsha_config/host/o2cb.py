"""The cluster stack's settings: keys in /etc/default/o2cb, which belongs to ocfs2-tools."""

from __future__ import annotations

import json

from nfsha_config.host import shellvars
from nfsha_config.host.write import write
from nfsha_config.paths import Paths
from nfsha_config.site.model import Site


def values(site: Site) -> dict[str, str]:
    """What o2cb.sysconfig(5) calls these settings; times in milliseconds, the threshold in heartbeats of 2 s."""
    return {
        "O2CB_ENABLED": "true",
        "O2CB_STACK": "o2cb",
        "O2CB_BOOTCLUSTER": site.cluster.name,
        "O2CB_HEARTBEAT_THRESHOLD": str(site.timings.o2cb_threshold),
        "O2CB_IDLE_TIMEOUT_MS": str(site.timings.o2cb_idle),
        "O2CB_KEEPALIVE_DELAY_MS": str(site.timings.o2cb_keepalive),
        "O2CB_RECONNECT_DELAY_MS": str(site.timings.o2cb_reconnect),
    }


def configure(site: Site, paths: Paths) -> bool:
    """Set the keys, once remembering what they were; True when something changed."""
    text = _text(paths)
    remembered = paths.o2cb_before
    if not remembered.exists():
        before = {key: shellvars.get(text, key) for key in values(site)}
        write(remembered, json.dumps(before, indent=1) + "\n")
    changed = shellvars.with_values(text, values(site))
    return changed != text and write(paths.o2cb_defaults, changed, _mode(paths))


def deconfigure(paths: Paths) -> None:
    """Set the keys back to what they were."""
    if not paths.o2cb_before.exists():
        return
    before = json.loads(paths.o2cb_before.read_text(encoding="utf-8"))
    if paths.o2cb_defaults.exists():
        write(paths.o2cb_defaults, shellvars.with_values(_text(paths), before), _mode(paths))
    paths.o2cb_before.unlink()


def _text(paths: Paths) -> str:
    return paths.o2cb_defaults.read_text(encoding="utf-8") if paths.o2cb_defaults.exists() else ""


def _mode(paths: Paths) -> int:
    return paths.o2cb_defaults.stat().st_mode & 0o7777 if paths.o2cb_defaults.exists() else 0o644
