"""`nfsha configure`: from answers and the packaged site to the files of this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass

from nfsha_config import render
from nfsha_config.host import install, machine, o2cb
from nfsha_config.host.machine import Machine
from nfsha_config.host.write import write
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, NfshaError, Problem
from nfsha_config.render import ManagedFile
from nfsha_config.site import load, merge, secrets
from nfsha_config.site.model import Node, Site
from nfsha_config.site.secrets import Secrets

log = logging.getLogger(__name__)

NODE = "nfsha-node"
CLIENT = "nfsha-client"
_SET = "set."
_SECRET = "secret."


@dataclass(frozen=True)
class Wanted:
    """All that a machine will hold, checked before anything is written."""

    package: str
    site: Site
    site_text: str
    packaged_text: str
    secrets: Secrets | None
    machine: Machine | None
    node: Node | None

    @property
    def files(self) -> tuple[ManagedFile, ...]:
        """The rendered files."""
        return render.configured(self.package, self.site, self.node)


def configure(package: str, answers: Mapping[str, str], paths: Paths) -> list[str]:
    """Make the machine what the site and the answers say; return a line for each thing that changed.

    Nothing is written when anything is wrong. Raises InputError with all problems, CommandFailed.
    """
    wanted = decide(package, answers, paths)
    changed = _write_own(wanted, paths)
    changed += install.install(package, wanted.files, paths)
    if package == NODE and o2cb.configure(wanted.site, paths):
        changed.append(f"{paths.o2cb_defaults}: keys set")
    if changed:
        install.tell_systemd(changed, paths)
    if package == CLIENT:
        install.automount(wanted.site.client.mount_point, paths)
    return changed


def plan(package: str, paths: Paths) -> list[str]:
    """What configure would change, without doing it."""
    wanted = decide(package, {}, paths)
    return install.differences(wanted.files, paths)


def deconfigure(package: str, paths: Paths) -> None:
    """Stop what runs and take the rendered files away; the site, the secrets and the data stay."""
    install.stop(package, paths)
    try:
        site = load.load_file(paths.site)
    except NfshaError as error:
        log.warning("the rendered files can't be known without a valid site, and stay: %s", error)
        return
    node = _own_node(site, paths)
    install.uninstall(render.configured(package, site, node), paths)
    if package == NODE:
        o2cb.deconfigure(paths)
    install.tell_systemd(["removed"], paths)


def decide(package: str, answers: Mapping[str, str], paths: Paths) -> Wanted:
    """What the machine should be. Raises InputError with the problems of site, secrets and node together."""
    _known(answers)
    site_text, packaged_text = _site_text(package, answers, paths)
    site = load.load(site_text, str(paths.site))
    problems: list[InputError] = []
    here, node, chap = None, None, None
    if package == NODE:
        here = _machine(site, answers, paths)
        try:
            node = machine.node_of(here, site, os.uname().nodename)
        except InputError as error:
            problems.append(error)
    if package != CLIENT:
        try:
            chap = _secrets(answers, paths)
        except InputError as error:
            problems.append(error)
    if problems:
        raise InputError(package, [problem for error in problems for problem in error.problems])
    return Wanted(package, site, site_text, packaged_text, chap, here, node)


def _known(answers: Mapping[str, str]) -> None:
    unknown = [key for key in answers if key not in ("node", "format") and not key.startswith((_SET, _SECRET))]
    if unknown:
        hint = "known: node, format, secret.node, secret.target, set.KEY"
        raise InputError("answers", [Problem(key, "is not an answer", hint) for key in unknown])


def _site_text(package: str, answers: Mapping[str, str], paths: Paths) -> tuple[str, str]:
    try:
        packaged = paths.packaged_site(package).read_text(encoding="utf-8")
    except FileNotFoundError:
        packaged = ""
    if not paths.site.exists() and not packaged:
        problem = Problem("file", "is missing", f"install {package} from your site's repository")
        raise InputError(str(paths.site), [problem])
    text = packaged
    if paths.site.exists():
        text = paths.site.read_text(encoding="utf-8")
        if packaged:
            base = paths.applied_site.read_text(encoding="utf-8") if paths.applied_site.exists() else packaged
            text = merge.merge(base, text, packaged)
    values = {key.removeprefix(_SET): value for key, value in answers.items() if key.startswith(_SET)}
    return merge.with_values(text, merge.answers(values)), packaged


def _machine(site: Site, answers: Mapping[str, str], paths: Paths) -> Machine:
    before = machine.load(paths) if paths.host.exists() else Machine(os.uname().nodename)
    name = answers.get("node") or before.node
    consent = before.consent
    if "format" in answers:
        first = site.nodes[0].name == name
        consent = site.lun_path if answers["format"] == "true" and first else ""
    return Machine(name, consent)


def _secrets(answers: Mapping[str, str], paths: Paths) -> Secrets:
    given = {key.removeprefix(_SECRET): value for key, value in answers.items() if key.startswith(_SECRET) and value}
    if not given:
        return secrets.load(paths.secrets)
    return secrets.check(dict(given), "secrets")


def _own_node(site: Site, paths: Paths) -> Node | None:
    try:
        return site.node(machine.load(paths).node)
    except InputError:
        return None


def _write_own(wanted: Wanted, paths: Paths) -> list[str]:
    changed = []
    if write(paths.site, wanted.site_text):
        changed.append(str(paths.site))
    if wanted.packaged_text:
        write(paths.applied_site, wanted.packaged_text)
    if wanted.secrets and write(paths.secrets, secrets.text(wanted.secrets), 0o600):
        changed.append(str(paths.secrets))
    if wanted.machine and machine.save(wanted.machine, paths):
        changed.append(str(paths.host))
    return changed
