"""nfsha.sources: the one file that tells apt the repository and its key, sources.list(5)."""

from __future__ import annotations

import re

from nfsha_config.build.key import Key
from nfsha_config.build.repository import COMPONENT, SUITE
from nfsha_config.problems import InputError, Problem

URI = re.compile(r"[a-z][a-z0-9+]*:/\S*\Z")
"""With the slash, since HOST:8080/ is what one types by mistake."""

PLACEHOLDER = "http://HOST:8080/"
"""The address while nobody has said where the repository is served; 8080 is the port of `nfsha repo serve`."""


def check(uri: str) -> None:
    """Raises InputError for what apt would not read on the machines, where it is one URI, or several with spaces."""
    if any(not URI.match(one) for one in uri.split(" ")):
        hint = "as sources.list(5) has them, such as http://HOST:8080/"
        raise InputError("nfsha build", [Problem("--uri", "is not a URI", hint, uri)])


def text(uri: str, key: Key) -> str:
    """The file in deb822 format; the key stands in it (apt 2.4 and later), so that no second file is needed."""
    armour = "\n".join(f" {line}" if line else " ." for line in key.public.strip().splitlines())
    return (
        "# Copy to /etc/apt/sources.list.d/ on each machine.\n"
        "Types: deb\n"
        f"URIs: {uri}\n"
        f"Suites: {SUITE}\n"
        f"Components: {COMPONENT}\n"
        f"Signed-By:\n{armour}\n"
    )
