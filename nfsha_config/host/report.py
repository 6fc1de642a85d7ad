"""nfsha-status.service: reports what this node is, and does what another node asks of it."""

from __future__ import annotations

import logging
import os
import time
from itertools import count

from nfsha_config.file import content, remove
from nfsha_config.host import agreement, status, switchover
from nfsha_config.paths import Paths
from nfsha_config.run import run
from nfsha_config.site import load

log = logging.getLogger(__name__)

# Seconds between two looks whether the node has begun or ended to serve, or is asked for something.
_LOOK = 0.5


def main(paths: Paths) -> None:
    """Report each few seconds, and at once when this node begins or ends to serve, until stopped."""
    site = load.load_file(paths.site)
    agreement.publish(os.uname().nodename, paths)
    serving = False
    for beat in count(int(time.time())):
        now = status.here(site, beat, paths)
        status.save(now, paths)
        if now.serving and not serving:
            # It was meant for the node that served before.
            remove(paths.shared("request"))
        serving = now.serving
        until = time.monotonic() + status.INTERVAL
        while time.monotonic() < until and paths.now("open").exists() == now.serving:
            if now.serving:
                _answer(paths)
            time.sleep(_LOOK)


def _answer(paths: Paths) -> None:
    request = paths.shared("request")
    asker = content(request)
    if asker:
        remove(request)
        log.info("%s asks for a switchover", asker)
        run(["systemctl", "start", "--no-block", switchover.UNIT])
