"""Rendered files onto the machine and off it again, and systemd told of it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from nfsha_config.file import read, remove, write
from nfsha_config.host import mounts, storage
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, NfshaError
from nfsha_config.render import RESIDENT, ManagedFile, Owned
from nfsha_config.render.unitname import escape_path
from nfsha_config.run import run
from nfsha_config.site import load

log = logging.getLogger(__name__)

_STOP_DEADLINE = 300.0
_MARK = "Managed by nfsha"
_UNDER_VOLUMES = "o2cb.service"
_STOPS = {
    # keepalived first, so that the peer takes over while this node can still hand the lock on.
    "nfsha-node": (
        ["keepalived.service"], ["srv-nfs4-data.mount", "var-lib-nfs.mount"], [_UNDER_VOLUMES],
        ["nfsha-storage.service", "nfsha-gate.service", "nfsha-node.target"],
    ),
    "nfsha-iscsi-target": (["nfsha-target.service"],),
    "nfsha-client": (),
}  # fmt: skip


def install(package: str, files: Sequence[ManagedFile], paths: Paths) -> list[str]:
    """Write the files, take away those that an earlier site had and this one has not; return the paths that changed."""
    wanted = {file.path: _digest(file.text) for file in files}
    before = _written(package, paths)
    # First, so that what fails or dies in the middle leaves nothing that a purge does not know.
    _note(package, {**wanted, **before}, paths)
    changed = [file.path for file in files if _put(package, file, paths)]
    old = {path: digest for path, digest in before.items() if path not in wanted}
    for path in old:
        if path.endswith(".automount"):
            _systemctl("disable", Path(path).name, paths)
    changed += [path for path, digest in old.items() if _take_away(path, digest, paths)]
    _note(package, wanted, paths)
    return changed


def differences(files: Sequence[ManagedFile], paths: Paths) -> list[str]:
    """The paths whose text on the machine is another one."""
    return [file.path for file in files if read(paths.at(file.path)) != file.text]


def uninstall(package: str, paths: Paths) -> None:
    """Take away all that install wrote. What was edited by hand is kept beside the site, out of its program's sight."""
    for path, digest in _written(package, paths).items():
        _take_away(path, digest, paths)
    remove(_list(package, paths))


def _list(package: str, paths: Paths) -> Path:
    """The files that were written for a package, in the form of sha256sum(1)."""
    return paths.at(f"/var/lib/nfsha/{package}.files")


def _written(package: str, paths: Paths) -> dict[str, str]:
    lines = (read(_list(package, paths)) or "").splitlines()
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def _note(package: str, written: Mapping[str, str], paths: Paths) -> None:
    write(_list(package, paths), "".join(f"{digest}  {path}\n" for path, digest in written.items()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _take_away(path: str, digest: str, paths: Paths) -> bool:
    place = paths.at(path)
    now = read(place)
    offered = place.with_name(f"{place.name}.ucf-dist")
    if _MARK in (read(offered) or ""):
        remove(offered)
    if now is not None and _digest(now) != digest:
        if _MARK not in now:
            log.warning("%s is not nfsha's, and stays", place)
            return False
        saved = paths.site.parent / f"{path.strip('/').replace('/', '_')}.edited"
        log.warning("%s was edited by hand; it is now %s", place, saved)
        write(saved, now, place.stat().st_mode & 0o7777)
    return remove(place)


def tell_systemd(changed: Sequence[str], paths: Paths, *, interrupt: bool = True) -> None:
    """Make systemd read units anew, and running programs their files.

    Without interrupt, keepalived gets its file when it starts the next time: its reload would move the address.
    """
    if not paths.systemd.exists():
        return
    run(["systemctl", "daemon-reload"])
    if any(line.startswith(("/etc/default/o2cb", "/etc/ocfs2/")) for line in changed) and not mounts.ocfs2(paths):
        # It has been started with the package, before it was told of the cluster; it reads its files at a start only.
        _invoke("try-restart", "o2cb.service")
    if interrupt and "/etc/keepalived/keepalived.conf" in changed and _active("keepalived.service"):
        _invoke("reload", "keepalived.service")
    if "/etc/nfsha/gate.nft" in changed and _active("nfsha-gate.service"):
        _invoke("reload", "nfsha-gate.service")
    # The package's own script restarts them afterwards, whatever has changed.
    if str(paths.site) in changed and not _in_maintainer_script():
        run(["systemctl", "try-restart", *RESIDENT], check=False)
    if "/etc/exports.d/nfsha.exports" in changed and _active("nfs-server.service"):
        run(["exportfs", "-r"])


def automount(mount_point: str, paths: Paths) -> None:
    """Enable the client's automount unit, and start it where systemd runs; systemd makes the mount point."""
    unit = f"{escape_path(mount_point)}.automount"
    _systemctl("enable", unit, paths)
    if paths.systemd.exists():
        _invoke("start", unit)


def _invoke(verb: str, unit: str) -> None:
    """Have systemd do it; in a maintainer script, where policy-rc.d does not forbid it (Policy 9.3.3)."""
    run(["deb-systemd-invoke" if _in_maintainer_script() else "systemctl", verb, unit])


def _in_maintainer_script() -> bool:
    """dpkg(1), ENVIRONMENT."""
    return "DPKG_MAINTSCRIPT_PACKAGE" in os.environ


def stop(package: str, paths: Paths) -> None:
    """Stop what the package runs, in an order that hands the service over first.

    Raises Refused where a node's volumes are in use.
    """
    for path in _written(package, paths):
        if path.endswith(".automount"):
            _systemctl("disable", Path(path).name, paths)
    served = package == "nfsha-iscsi-target" and remove(paths.at("/etc/tgt/conf.d/nfsha.conf"))
    if not paths.systemd.exists():
        return
    for units in _STOPS[package]:
        if _UNDER_VOLUMES in units:
            mounts.refuse_mounted(paths)
        run(["systemctl", "stop", *units], check=False, timeout=_STOP_DEADLINE)
        # An earlier stop that failed, of a volume in use, would be shown for a unit that is gone.
        run(["systemctl", "reset-failed", *units], check=False)
    if package == "nfsha-client":
        _stop_client(paths)
    if package == "nfsha-node":
        try:
            storage.logout(paths)
        except InputError as error:
            log.warning("the iSCSI session is left as it is: %s", error)
    if served:
        run(["systemctl", "reload", "tgt.service"], check=False)


def _stop_client(paths: Paths) -> None:
    try:
        unit = escape_path(load.load_file(paths.site).client.mount_point)
    except NfshaError as error:
        log.warning("the mount is left as it is: %s", error)
        return
    run(["systemctl", "stop", f"{unit}.automount"], check=False)
    run(["systemctl", "stop", f"{unit}.mount"], check=False, timeout=_STOP_DEADLINE)


def _put(package: str, file: ManagedFile, paths: Paths) -> bool:
    place = paths.at(file.path)
    if file.owned is not Owned.UCF:
        return write(place, file.text, file.mode)
    before = read(place)
    # What nfsha put there last; not the new text before ucf has put it there, or the old one would pass for an edit.
    ours = paths.at(f"/var/lib/nfsha{file.path}")
    staged = ours.with_name(f"{ours.name}.new")
    if before == file.text:
        if staged.exists():
            # ucf has put it there, and who called it died before the rest.
            run(["ucfr", package, place])
        write(ours, file.text, file.mode)
        staged.unlink(missing_ok=True)
        return False
    edited = before is not None and before not in (read(ours), read(staged))
    write(staged, file.text, file.mode)
    place.parent.mkdir(parents=True, exist_ok=True)
    # Told to keep the old file, ucf would keep one that nobody edited, too; told nothing, it would ask.
    answers = {"UCF_FORCE_CONFFOLD": "1"} if edited else {"UCF_FORCE_CONFFNEW": "1", "UCF_FORCE_CONFFMISS": "1"}
    run(["ucf", "--three-way", staged, place], env={"DEBIAN_FRONTEND": "noninteractive", **answers})
    run(["ucfr", package, place])
    staged.replace(ours)
    if edited:
        log.warning("%s was edited by hand and stays; nfsha's own text is in %s.ucf-dist", place, place)
    return read(place) != before


def _systemctl(verb: str, unit: str, paths: Paths) -> None:
    """Enable or disable a unit for the next boot; needs no running systemd."""
    run(["systemctl", f"--root={paths.root}", "--quiet", verb, unit])


def _active(unit: str) -> bool:
    return run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0
