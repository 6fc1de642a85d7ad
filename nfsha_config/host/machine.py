"""What is true of this machine alone: which node it is, and whether its LUN may be formatted."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace

from nfsha_config.file import write
from nfsha_config.paths import Paths
from nfsha_config.problems import InputError, Problem
from nfsha_config.site.model import Node, Site

_HEADER = "# What is true of this machine alone; `dpkg-reconfigure nfsha-node` asks for it.\n"


@dataclass(frozen=True)
class Machine:
    """node is its name in the site; consent names the one device that may be formatted, "" for none."""

    node: str
    consent: str = ""


def load(paths: Paths) -> Machine:
    """The machine's own file. Raises InputError."""
    try:
        data = tomllib.loads(paths.host.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        problem = Problem("file", "is missing", "run: dpkg-reconfigure nfsha-node")
        raise InputError(str(paths.host), [problem]) from error
    except ValueError as error:
        raise InputError(str(paths.host), [Problem("TOML", str(error), "mend the line named")]) from error
    node, consent = data.get("node"), data.get("consent_to_format", "")
    if not isinstance(node, str) or not isinstance(consent, str):
        problem = Problem("node, consent_to_format", "are not strings", "run: dpkg-reconfigure nfsha-node")
        raise InputError(str(paths.host), [problem])
    return Machine(node, consent)


def save(machine: Machine, paths: Paths) -> bool:
    """Write the machine's own file; True when it changed."""
    text = f'{_HEADER}node = "{machine.node}"\nconsent_to_format = "{machine.consent}"\n'
    return write(paths.host, text)


def withdraw_consent(paths: Paths) -> None:
    """A consent is good for one formatting, and for one look at what lies on the device."""
    save(replace(load(paths), consent=""), paths)


def node_of(machine: Machine, site: Site, hostname: str) -> Node:
    """The node that this machine is. Raises InputError when the site has none of that name, or o2cb would not."""
    node = site.node(machine.node)
    names = ", ".join(known.name for known in site.nodes)
    if node is None:
        what, hint = "is not a node of the site", f"take one of {names}: dpkg-reconfigure nfsha-node"
        raise InputError("node", [Problem("name", what, hint, f'"{machine.node}"')])
    if hostname != node.name:
        what = f"is not this machine's host name, which is {hostname}"
        hint = f"o2cb finds itself by the host name: hostnamectl set-hostname {node.name}, or mend the site"
        raise InputError("node", [Problem("name", what, hint, f'"{machine.node}"')])
    return node
