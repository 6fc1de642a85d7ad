"""Whether another machine answers for the virtual address, too."""

from __future__ import annotations

import re

from nfsha_config.run import run
from nfsha_config.site.model import Network

_MAC = re.compile(r"\[([0-9A-Fa-f:]{17})\]")


def other_owner(network: Network) -> str:
    """The MAC address of another machine that answers for it, "" where none does (RFC 5227; arping(8), -D).

    Asked by the node that has the address: its own kernel does not answer what it asks itself. Takes up to 1 s.
    """
    words = ["arping", "-D", "-c", "1", "-w", "1", "-I", network.interface, str(network.virtual_address.ip)]
    found = _MAC.search(run(words, check=False, timeout=10).stdout)
    return found[1].lower() if found else ""
