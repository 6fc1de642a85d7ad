"""`nfsha configure`: from answers and the packaged site to the files of this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from nfsha_config import render
from nfsha_config.file import write
from nfsha_config.host import agreement, impact, install, machine, o2cb
from nfsha_config.host.machine import Machine
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, Problem
from nfsha_config.render import CLIENT, NODE, ManagedFile
from nfsha_config.site import load, merge, secrets
from nfsha_config.site.model import Node, Site
from nfsha_config.site.secrets import Secrets

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
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

    What it costs is told before. Nothing is written when anything is wrong. Raises InputError with all problems,
    Refused where it would be an outage, CommandFailed.
    """
    wanted = decide(package, answers, paths)
    cost = impact.of(package, wanted.site, paths)
    for line in cost.lines:
        log.info("%s", line)
    cost.allow(package, paths)
    changed = _write_own(wanted, paths)
    changed += install.install(package, wanted.files, paths)
    if package == NODE and o2cb.configure(wanted.site, paths):
        changed.append(f"{paths.o2cb_defaults}: keys set")
    if changed:
        install.tell_systemd(changed, paths, interrupt=cost.may_interrupt(paths))
    if package == CLIENT:
        install.automount(wanted.site.client.mount_point, paths)
    write(paths.configured_site(package), wanted.site_text)
    return changed


def plan(package: str, paths: Paths) -> list[str]:
    """What configure would change, and what that costs, without doing it."""
    wanted = decide(package, {}, paths)
    planned = impact.of(package, wanted.site, paths).lines
    planned += install.differences(wanted.files, paths)
    if package == NODE and o2cb.differs(wanted.site, paths):
        planned.append(str(paths.o2cb_defaults))
    return planned


def deconfigure(package: str, paths: Paths) -> None:
    """Stop what runs and take the rendered files away; the site, the secrets and the data stay."""
    install.stop(package, paths)
    install.uninstall(package, paths)
    if package == NODE:
        o2cb.deconfigure(paths)
    install.tell_systemd(["removed"], paths)


def decide(package: str, answers: Mapping[str, str], paths: Paths) -> Wanted:
    """What the machine should be. Raises InputError with the problems of site, secrets and node together."""
    _known(answers)
    problems: list[Problem] = []
    site, here, node, chap = None, None, None, None
    # An answer that is wrong hides nothing else that is.
    settings = [_noting(problems, merge.answers, {key: text}) or {} for key, text in _settings(answers)]
    values = {key: value for one in settings for key, value in one.items()}
    texts = _noting(problems, _site_text, package, values, paths)
    if texts:
        site = _noting(problems, load.load, texts[0], str(paths.site))
    if site and package == NODE:
        here = _noting(problems, _machine, site, answers, paths)
    if site and here:
        node = _noting(problems, machine.node_of, here, site, os.uname().nodename)
    if site and node:
        _noting(problems, agreement.check, site, node.name, paths)
    if package != CLIENT:
        chap = _noting(problems, _secrets, answers, paths)
    if problems or not texts or not site:
        raise InputError(package, problems)
    return Wanted(package, site, *texts, chap, here, node)


def _noting(problems: list[Problem], get: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What get returns; where it can't, note why and return None."""
    try:
        return get(*args, **kwargs)
    except InputError as error:
        problems.extend(replace(problem, where=f"{error.source}: {problem.where}") for problem in error.problems)
        return None


def _known(answers: Mapping[str, str]) -> None:
    unknown = [key for key in answers if key not in ("node", "format") and not key.startswith((_SET, _SECRET))]
    if unknown:
        hint = "known: node, format, secret.node, secret.target, set.KEY"
        raise InputError("answers", [Problem(key, "is not an answer", hint) for key in unknown])


def _settings(answers: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(key.removeprefix(_SET), text) for key, text in answers.items() if key.startswith(_SET)]


def _site_text(package: str, values: Mapping[str, object], paths: Paths) -> tuple[str, str]:
    packaged = _text(paths.packaged_site(package)) or ""
    text = _text(paths.site)
    if text is None and not packaged:
        problem = Problem("file", "is missing", f"install {package} from your site's repository")
        raise InputError(str(paths.site), [problem])
    if text is None:
        text = packaged
    elif packaged:
        text = merge.merge(_text(paths.applied_site) or packaged, text, packaged)
    return merge.with_values(text, values), packaged


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise InputError(str(path), [Problem("file", "is not UTF-8 text", "save it as UTF-8")]) from None


def _machine(site: Site, answers: Mapping[str, str], paths: Paths) -> Machine:
    before = Machine(os.uname().nodename)
    try:
        before = machine.load(paths) if paths.host.exists() else before
    except InputError:
        # Who is asked to answer again, since the file can't be read, must not be told the same again.
        if "node" not in answers:
            raise
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
