"""The answers for an unattended installation, as debconf-set-selections(1) reads them."""

from __future__ import annotations

from pathlib import Path

from nfsha_config.build.question import questions
from nfsha_config.file import write as write_file
from nfsha_config.problems import Refused
from nfsha_config.render import package_of
from nfsha_config.site.model import Site
from nfsha_config.site.secrets import Secrets

_HEADER = """\
# Answers for {package} on {host}; holds secrets, so delete it when the package is installed. On that machine:
#   debconf-set-selections FILE && DEBIAN_FRONTEND=noninteractive apt-get install {package}
"""


def text(host: str, site: Site, secrets: Secrets, *, format_lun: bool = False) -> str:
    """The lines for a host: a node's name, "target" or "client".

    format_lun is the consent to format the shared LUN; Refused unless the host is the first node, who alone formats.
    Raises NfshaError for an unknown host.
    """
    package = package_of(host, site)
    if format_lun and host != site.nodes[0].name:
        first = site.nodes[0].name
        raise Refused(f"{host}: does not format the LUN, so it takes no consent (give it for {first}, the first node)")
    settled = {"node": host, "secret-node": secrets.node, "secret-target": secrets.target}
    if format_lun:
        settled["format"] = "true"
    lines = [_HEADER.format(package=package, host=host)]
    for question in questions(package, site):
        name = question.name.partition("/")[2]
        if name in settled:
            lines.append(f"{package} {question.name} {question.kind} {settled[name]}\n")
    return "".join(lines)


def write(path: Path, content: str) -> None:
    """Write a file that only its owner can read, in the place of an earlier one; what is no file, as it is."""
    if path.exists() and not path.is_file():
        path.write_text(content, encoding="utf-8")
    else:
        write_file(path.resolve(), content, 0o600)
