"""The node's way to the LUN: a node record with CHAP in both directions, and the session."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from nfsha_config import render
from nfsha_config.file import overwrite, write
from nfsha_config.paths import Paths
from nfsha_config.problems import CommandFailed, Refused
from nfsha_config.run import run
from nfsha_config.site.model import Site
from nfsha_config.site.secrets import Secrets

log = logging.getLogger(__name__)

# iscsiadm(8), EXIT STATUS: a session exists already; the target refuses the login.
_SESSION_EXISTS = 15
_AUTH_FAILED = 24
_RETRY = 5.0
# Seconds; iscsiadm itself tries 4 times for 30 s each (node record, initial_login_retry_max and login_timeout).
_LOGIN_DEADLINE = 300.0
_DEVICE_DEADLINE = 90.0


def login(site: Site, secrets: Secrets, paths: Paths) -> None:
    """Log in and wait for the LUN, as long as the target takes to come.

    Raises Refused when the target refuses the secrets, or shows no LUN within 90 s after the login; CommandFailed when
    the node record can't be made.
    """
    if not _logged_in(site):
        _make_record(site, secrets, paths)
        while not _try_login(site):
            time.sleep(_RETRY)
    _wait_for(Path(site.lun_path))
    repeat_without_end(site, paths)


def repeat_without_end(site: Site, paths: Paths) -> None:
    """Make the kernel repeat a command to the LUN until it is answered; without the LUN there is nothing to do.

    By itself it lets one fail that is older than 180 s, six times the disk's timeout, or has lost its sixth connection
    (drivers/scsi/scsi_lib.c, scsi_cmd_runtime_exceeced; sd.c, max_retries). A target that is back answers the first one
    with a unit attention, which is a reason to repeat it: after 180 s, to let it fail. What the target says of its disk
    (a medium error) and of a reservation is no reason, and fails at once.
    """
    disk = paths.at(f"/sys/block/{Path(site.lun_path).resolve().name}")
    for limit in disk.glob("device/scsi_disk/*/max_retries"):
        overwrite(limit, "-1\n")


def logout(site: Site) -> None:
    """End the session and forget the record; nothing to do is no error."""
    run(_node(site, "--logout"), check=False)
    run(_node(site, "-o", "delete"), check=False)


def _node(site: Site, *words: str) -> list[str]:
    return ["iscsiadm", "-m", "node", "-T", site.storage.iqn, "-p", str(site.storage.portal), *words]


def _logged_in(site: Site) -> bool:
    sessions = run(["iscsiadm", "-m", "session"], check=False).stdout
    portal = f" {site.storage.portal},"
    return any(site.storage.iqn in line.split() and portal in line for line in sessions.splitlines())


def _make_record(site: Site, secrets: Secrets, paths: Paths) -> None:
    """Make the record anew from defaults of our own.

    iscsiadm takes a secret from its argv or from /etc/iscsi/iscsid.conf. The first is read by any user, the second is
    a conffile of open-iscsi: so iscsiadm alone, in a mount namespace of its own, sees our file in its place.
    """
    run(_node(site, "-o", "delete"), check=False)
    defaults = render.iscsid_conf(site, secrets)
    private = paths.at(defaults.path)
    write(private, defaults.text, defaults.mode)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    try:
        run(["unshare", "--mount", "sh", "-c", script, "sh", private, paths.iscsid_conf, *_node(site, "-o", "new")])
    finally:
        private.unlink()
    if "node.session.auth.authmethod = CHAP" not in run(_node(site)).stdout.splitlines():
        why = "iscsid did not answer; see systemctl status iscsid"
        raise CommandFailed(f"iscsiadm made a node record without CHAP: {why}")


def _try_login(site: Site) -> bool:
    done = run(_node(site, "--login"), check=False, timeout=_LOGIN_DEADLINE)
    if done.returncode in (0, _SESSION_EXISTS):
        return True
    if done.returncode == _AUTH_FAILED:
        raise Refused(
            f"{site.storage.portal}: the target refuses the CHAP secrets; "
            "make /etc/nfsha/secrets the same on target and nodes, then: systemctl restart nfsha-node.target"
        )
    log.info("waiting for the target %s (iscsiadm: exit status %d)", site.storage.portal, done.returncode)
    return False


def _wait_for(device: Path) -> None:
    deadline = time.monotonic() + _DEVICE_DEADLINE
    while not device.exists():
        if time.monotonic() > deadline:
            raise Refused(
                f"{device}: did not come after the login; on the target: systemctl status nfsha-target tgt; "
                "then here: systemctl start nfsha-node.target"
            )
        try:
            run(["udevadm", "settle", f"--exit-if-exists={device}", "--timeout=5"], check=False)
        except CommandFailed:
            continue
        time.sleep(0.2)
