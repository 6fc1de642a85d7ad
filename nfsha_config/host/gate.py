"""Whether the gate is as it should be: there, and open just while this node serves.

Another's `flush ruleset` takes it away, who loads its file closes it to clients that are served, and what opens or
closes it may be killed in the middle (/usr/libexec/nfsha/gate).
"""

from __future__ import annotations

import logging
import re

from nfsha_config.paths import Paths
from nfsha_config.run import run

log = logging.getLogger(__name__)

PROGRAM = "/usr/libexec/nfsha/gate"
"""Opens, closes and restores it."""

_DROPS = re.compile(r"^\s*drop$", re.MULTILINE)
# Chains that drop while it is closed (/etc/nfsha/gate.nft); an open one drops nothing.
_CLOSED = 2


class Gate:
    """The looks at it, on one node. `listed` is the table as nft listed it last."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.listed = ""
        # Whether it was not as the node is, at the last look.
        self.differed = False

    def look(self) -> str:
        """Put it right; return why that can't be, "" for nothing. What differs only once is just being changed."""
        done = run(["nft", "list", "table", "inet", "nfsha"], check=False)
        self.listed = done.stdout
        if done.returncode:
            return self._restore("the gate is gone")
        opened = self.paths.now("open").exists()
        differs = len(_DROPS.findall(self.listed)) != (0 if opened else _CLOSED)
        again, self.differed = differs and self.differed, differs
        return self._restore(f"the gate is not {'open' if opened else 'closed'}") if again else ""

    def _restore(self, wrong: str) -> str:
        failed = run([PROGRAM, "restore"], check=False).returncode != 0
        self.differed = failed
        if failed:
            return f"{wrong}, and can't be put back"
        log.warning("%s: put back", wrong)
        return ""
