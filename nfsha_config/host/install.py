"""Rendered files onto the machine and off it again, and systemd told of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from nfsha_config.host import iscsi
from nfsha_config.host.write import remove, write
from nfsha_config.paths import Paths
from nfsha_config.problems import NfshaError
from nfsha_config.render import ManagedFile, Owned
from nfsha_config.render.unitname import escape_path
from nfsha_config.run import run
from nfsha_config.site import load

log = logging.getLogger(__name__)

_STOP_DEADLINE = 300.0
_STOPS = {
    # keepalived first, so that the peer takes over while this node can still hand the lock on.
    "nfsha-node": (["keepalived.service"], ["srv-nfs4-data.mount", "var-lib-nfs.mount"], ["o2cb.service"], ["nfsha-storage.service", "nfsha-node.target"]),
    "nfsha-iscsi-target": (["nfsha-target.service"],),
    "nfsha-client": (),
}  # fmt: skip


def install(package: str, files: Sequence[ManagedFile], paths: Paths) -> list[str]:
    """Write the files; return the paths that changed."""
    return [file.path for file in files if _put(package, file, paths)]


def differences(files: Sequence[ManagedFile], paths: Paths) -> list[str]:
    """The paths whose text on the machine is another one."""
    return [file.path for file in files if _now(paths.at(file.path)) != file.text]


def uninstall(files: Sequence[ManagedFile], paths: Paths) -> None:
    """Take the files away. One that was edited by hand is kept beside the site, out of its program's sight."""
    for file in files:
        place = paths.at(file.path)
        now = _now(place)
        if now is not None and now != file.text:
            saved = paths.site.parent / f"{place.name}.edited"
            log.warning("%s was edited by hand; it is now %s", place, saved)
            write(saved, now)
        remove(place)


def tell_systemd(changed: Sequence[str], paths: Paths) -> None:
    """Make systemd read units anew, and running programs their files, where that does not interrupt service."""
    if not paths.systemd.exists():
        return
    run(["systemctl", "daemon-reload"])
    if "/etc/keepalived/keepalived.conf" in changed and _active("keepalived.service"):
        run(["systemctl", "reload", "keepalived.service"])
    if "/etc/exports.d/nfsha.exports" in changed and _active("nfs-server.service"):
        run(["exportfs", "-r"])


def automount(mount_point: str, paths: Paths) -> None:
    """Enable and start the client's automount unit."""
    unit = f"{escape_path(mount_point)}.automount"
    paths.at(mount_point).mkdir(parents=True, exist_ok=True)
    if paths.systemd.exists():
        run(["systemctl", "enable", "--now", unit])


def stop(package: str, paths: Paths) -> None:
    """Stop what the package runs, in an order that hands the service over first."""
    if not paths.systemd.exists():
        return
    for units in _STOPS[package]:
        run(["systemctl", "stop", *units], check=False, timeout=_STOP_DEADLINE)
    if package == "nfsha-client":
        _stop_client(paths)
    if package == "nfsha-node":
        try:
            iscsi.logout(load.load_file(paths.site))
        except NfshaError as error:
            log.warning("the iSCSI session is left as it is: %s", error)
    if package == "nfsha-iscsi-target" and remove(paths.at("/etc/tgt/conf.d/nfsha.conf")):
        run(["systemctl", "reload", "tgt.service"], check=False)


def _stop_client(paths: Paths) -> None:
    try:
        unit = escape_path(load.load_file(paths.site).client.mount_point)
    except NfshaError as error:
        log.warning("the mount is left as it is: %s", error)
        return
    run(["systemctl", "disable", "--now", f"{unit}.automount"], check=False)
    run(["systemctl", "stop", f"{unit}.mount"], check=False, timeout=_STOP_DEADLINE)


def _put(package: str, file: ManagedFile, paths: Paths) -> bool:
    place = paths.at(file.path)
    if file.owned is not Owned.UCF:
        return write(place, file.text, file.mode)
    before = _now(place)
    if before == file.text:
        return False
    staged = paths.at(f"/var/lib/nfsha{file.path}")
    write(staged, file.text, file.mode)
    place.parent.mkdir(parents=True, exist_ok=True)
    run(["ucf", "--three-way", staged, place], env={"DEBIAN_FRONTEND": "noninteractive", "UCF_FORCE_CONFFOLD": "1"})
    run(["ucfr", package, place])
    if _now(place) != file.text:
        log.warning("%s was edited by hand and stays; nfsha's own text is in %s.ucf-dist", place, place)
    return _now(place) != before


def _now(place: Path) -> str | None:
    return place.read_text(encoding="utf-8") if place.exists() else None


def _active(unit: str) -> bool:
    return run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0
