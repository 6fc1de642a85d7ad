"""What is asked to let go before it is through has not failed; what is killed in the middle has."""

from __future__ import annotations

import pytest

from tests.golden.sites import rendered

from .machine import on_machine

_ADMIT = """
mount -t tmpfs tmpfs /proc/fs
mkdir -p /proc/fs/nfsd /run/rpc_pipefs/nfsd /run/nfsha/exports
echo 8 >/proc/fs/nfsd/threads
mkfifo /run/rpc_pipefs/nfsd/cld
: >/run/nfsha/times
printf '#!/bin/sh\\n: >/run/waits\\nexec sleep 60\\n' >/usr/sbin/exportfs
"""
_HOLD = """
mkdir -p /var/lib/nfs/nfsha /run/nfsha
exec 8>>/var/lib/nfs/nfsha/active.lock
flock --exclusive 8
printf '#!/bin/sh\\n: >/run/waits\\nexec /usr/bin/flock.real "$@"\\n' >/run/flock
cp /usr/bin/flock /usr/bin/flock.real
install --mode 755 /run/flock /usr/bin/flock
"""
# As systemd does, to all processes of the unit.
_CALL_OFF = """
printf '#!/bin/sh\\necho {substate}\\n' >/usr/bin/systemctl
chmod 755 /usr/bin/systemctl /usr/sbin/exportfs
setsid /usr/libexec/nfsha/{program} &
while [ ! -e /run/waits ]; do sleep 0.1; done
kill -- -$!
wait $! && echo ended || echo "failed: $?"
[ -e /run/nfsha/open ] || [ -e /run/nfsha/held ] || echo nothing is left
"""


@pytest.mark.parametrize(("program", "prepare"), [("admit", _ADMIT), ("hold", _HOLD)], ids=["admit", "hold"])
@pytest.mark.parametrize(("substate", "said"), [("stop-sigterm", "ended"), ("start", "failed: 143")])
def test_a_signal(program: str, prepare: str, substate: str, said: str) -> None:
    shown = on_machine(rendered("lab", "nfs1"), prepare + _CALL_OFF.format(program=program, substate=substate))
    assert shown.splitlines()[-2:] == [said, "nothing is left"]
