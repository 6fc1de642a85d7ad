"""The cluster stack's settings: keys in /etc/default/o2cb, which belongs to ocfs2-tools."""

from __future__ import annotations

import json

from nfsha_config.file import content, read, write
from nfsha_config.host import shellvars
from nfsha_config.paths import Paths
from nfsha_config.site.model import Site

_KEYS = (
    "O2CB_ENABLED", "O2CB_STACK", "O2CB_BOOTCLUSTER", "O2CB_HEARTBEAT_THRESHOLD", "O2CB_IDLE_TIMEOUT_MS",
    "O2CB_KEEPALIVE_DELAY_MS", "O2CB_RECONNECT_DELAY_MS",
)  # fmt: skip


def values(site: Site) -> dict[str, str]:
    """What o2cb.sysconfig(5) calls these settings; times in milliseconds, the threshold in heartbeats of 2 s."""
    timings = site.timings
    wanted = (
        "true", "o2cb", site.cluster.name, timings.o2cb_threshold, timings.o2cb_idle, timings.o2cb_keepalive,
        timings.o2cb_reconnect,
    )  # fmt: skip
    return {key: str(value) for key, value in zip(_KEYS, wanted, strict=True)}


def configure(site: Site, paths: Paths) -> bool:
    """Set the keys, once remembering what was there; True when something changed."""
    before = read(paths.o2cb_defaults)
    if not paths.o2cb_before.exists():
        write(paths.o2cb_before, json.dumps({"text": before}) + "\n")
    wanted = _wanted(before, site)
    return wanted != before and write(paths.o2cb_defaults, wanted, _mode(paths))


def differs(site: Site, paths: Paths) -> bool:
    """Whether a key has another value than the site's."""
    before = read(paths.o2cb_defaults)
    return _wanted(before, site) != before


def _wanted(before: str | None, site: Site) -> str:
    return shellvars.with_values(before or "", values(site))


def deconfigure(paths: Paths) -> None:
    """Put back what was there; where others have edited the file since, only the values of our keys."""
    remembered, now = read(paths.o2cb_before), read(paths.o2cb_defaults)
    if remembered is None:
        return
    before: str | None = json.loads(remembered)["text"]
    if now is not None:
        ours = {key: shellvars.get(now, key) for key in _KEYS}
        theirs = {key: shellvars.get(before or "", key) for key in _KEYS}
        edited = shellvars.with_values(before or "", ours) != now
        wanted = shellvars.with_values(now, theirs) if edited else before
        if wanted is None:
            paths.o2cb_defaults.unlink()
        else:
            write(paths.o2cb_defaults, wanted, _mode(paths))
    paths.o2cb_before.unlink()


def wrong(site: Site, paths: Paths) -> str:
    """The timings with which o2cb runs, where they are not the site's: it takes new ones only when nothing is mounted.

    It is not running where the kernel does not know the cluster (Documentation/filesystems/ocfs2.rst; o2cb(8)).
    """
    folder = paths.at(f"/sys/kernel/config/cluster/{site.cluster.name}")
    timings = site.timings
    wanted = {
        "heartbeat/dead_threshold": timings.o2cb_threshold, "idle_timeout_ms": timings.o2cb_idle,
        "keepalive_delay_ms": timings.o2cb_keepalive, "reconnect_delay_ms": timings.o2cb_reconnect,
    }  # fmt: skip
    running = {name: content(folder / name) for name in wanted}
    return ", ".join(
        f"o2cb runs with {name.rpartition('/')[2]} {running[name]}, not {value}"
        for name, value in wanted.items()
        if running[name] not in ("", str(value))
    )


def _mode(paths: Paths) -> int:
    return paths.o2cb_defaults.stat().st_mode & 0o7777 if paths.o2cb_defaults.exists() else 0o644
