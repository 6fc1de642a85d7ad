"""tgtd, as it runs: what it serves to whom, and how it is told of another file."""

from __future__ import annotations

import re

from nfsha_config.file import content, remove, write
from nfsha_config.host.impact import STOP
from nfsha_config.paths import Paths
from nfsha_config.problems import Refused
from nfsha_config.run import run

_WAITS = "tgt-waits"
"""Holds the process number of a tgtd that could not take its new file."""


def targets(conf: str | None) -> frozenset[str]:
    """The names of the targets in a file of targets.conf(5)."""
    return frozenset(re.findall(r"^<target (\S+)>$", conf or "", re.MULTILINE))


def accounts(conf: str | None) -> frozenset[tuple[str, str]]:
    """The accounts in a file of targets.conf(5), with their secrets, by their direction."""
    return frozenset(re.findall(r"^ *(incoming|outgoing)user (.+)$", conf or "", re.MULTILINE))


def waits(port: int, paths: Paths) -> bool:
    """Whether the tgtd that runs has yet to take something that it was told before, or to listen at a port."""
    running = _pid()
    if content(paths.now(_WAITS)) not in ("", running):
        remove(paths.now(_WAITS))
    return running != "" and (paths.now(_WAITS).exists() or not _listens(port))


def tell(before: str | None, wanted: str | None, port: int, paths: Paths) -> None:
    """Make a running tgtd take its file, of which it had another text before; None for no file.

    One that does not run reads it when it starts, as at boot, where it comes after us. It has to start anew where it
    does not listen at the port, and for new secrets: tgt-admin leaves an account that is there as it is
    (process_options). tgt-admin changes no target that somebody is logged in to (main_delete), and a new start would
    end what others have: Refused in these cases. Not waited for: nfsha-target.service is ordered before
    tgt.service, so what is asked for here begins when that has ended.
    """
    running = _pid()
    if not running:
        return
    other = paths.now(_WAITS).exists() or (before is not None and accounts(before) != accounts(wanted))
    verb = "restart" if wanted is not None and (other or not _listens(port)) else "reload"
    names = targets(before) | targets(wanted)
    found = {name: there for name, there in users().items() if there and (verb == "restart" or name in names)}
    if found:
        write(paths.now(_WAITS), f"{running}\n")
        raise Refused("\n".join([*(_in_use(name, there) for name, there in found.items()), _WAY_OUT]))
    remove(paths.now(_WAITS))
    run(["systemctl", "--no-block", verb, "tgt.service"])


_WAY_OUT = (
    f"to have it as the site says, on every node: {STOP}; then here: systemctl restart tgt.service; "
    "then on every node: systemctl start nfsha-node.target"
)


def _in_use(name: str, addresses: list[str]) -> str:
    there = ", ".join(addresses)
    return f"{name}: is in use by {there}, so tgt goes on serving it as it was, until tgt.service starts anew"


def _pid() -> str:
    """The process number of the tgtd that runs, "" where none does."""
    shown = run(["systemctl", "show", "--property=MainPID", "--value", "tgt.service"], check=False).stdout.strip()
    return "" if shown == "0" else shown


def _show(mode: str) -> str:
    return run(["tgtadm", "--lld", "iscsi", "--mode", mode, "--op", "show"]).stdout


def _listens(port: int) -> bool:
    return re.search(rf"^Portal: .*:{port},", _show("portal"), re.MULTILINE) is not None


def users() -> dict[str, list[str]]:
    """The addresses of those that are logged in, by target."""
    found: dict[str, list[str]] = {}
    for line in _show("target").splitlines():
        if target := re.match(r"Target \d+: (\S+)", line):
            name = target[1]
            found[name] = []
        elif address := re.match(r"\s+IP Address: (\S+)", line):
            found[name].append(address[1])
    return found
