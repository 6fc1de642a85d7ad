"""A node that stands still is kept out, whatever it does when it runs on."""

from __future__ import annotations

import pytest

from nfsha_config.site import load as site_load
from nfsha_lab.cluster import MOUNT, WORK, Cluster
from nfsha_lab.load import Load
from nfsha_lab.machine import Machine

pytestmark = pytest.mark.long
SITE = site_load.load_file(site_load.LAB)
# Ends the connection of one node; it comes again.
_BREAK = """
tgtadm --lld iscsi --op show --mode conn --tid 1 | awk '
    /Session:/ {{ session = $2 }} /Connection:/ {{ connection = $2 }}
    /IP Address: {address}$/ {{ print session, connection }}
' | while read -r session connection; do
    tgtadm --lld iscsi --op delete --mode conn --tid 1 --sid "$session" --cid "$connection"
    echo ended
done | grep ended
"""
# Each write is on the disk before the next one is begun.
_WRITERS = 20
_MANY = f"""#!/bin/sh
mkdir {MOUNT}/{WORK}/many
for number in $(seq {_WRITERS}); do
    while dd if=/dev/zero of={MOUNT}/{WORK}/many/$number bs=64k count=1 conv=notrunc,fsync status=none; do :; done &
done
wait
"""
# Milliseconds since the node's last heartbeat in each volume (heartbeat.c). By itself the kernel repeats no command that is
# older than 180 s (drivers/scsi/scsi_lib.c, scsi_cmd_runtime_exceeced).
_BEATS = "/sys/kernel/debug/o2hb/*/elapsed_time_in_ms"
_AWAY = 200000
_HANGS = "/run/systemd/system/nfs-server.service.d/zz-hangs.conf"
# Takes the connection of one node in place of tgtd, says nothing on it, and keeps it for longer than the node waits.
_MUTE = """
import pathlib, socket, sys, time
server = socket.create_server(("", 3260))
while True:
    connection, (address, _) = server.accept()
    if address == sys.argv[1]:
        break
    connection.close()
server.close()
pathlib.Path("/run/mute").touch()
time.sleep(120)
"""
# Takes connections in place of tgtd for some time, and closes them, as a tgtd does that starts or stops: those of one node
# at a moment when it may have bound the connection and not yet begun its login (usr/initiator.c, session_conn_poll).
_HASTY = """
import itertools, socket, struct, sys, time
end = time.monotonic() + 60
with socket.create_server(("", 3260)) as server:
    server.settimeout(10)
    for number in itertools.count():
        if time.monotonic() > end:
            break
        connection, (address, _) = server.accept()
        if address == sys.argv[1]:
            time.sleep(0.15 + number % 14 * 0.01)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
"""
# So that the moment is long enough to be met.
_SLOW = "systemctl set-property --runtime iscsid.service CPUQuota={}"
# An iscsid before 2.1.9, and what it says again and again (open-iscsi issue 387).
_OLD = "dpkg --compare-versions $(dpkg-query --showformat='${Version}' --show open-iscsi) lt 2.1.9"
_LOST = r"journalctl --boot --unit=iscsid | grep --quiet 'bind conn .* retcode -107'"


def test_the_serving_node_stands_still_and_runs_on(cluster: Cluster, load: Load) -> None:
    """As a virtual machine that is paused: it still believes that it serves, and must not write what it had begun."""
    active = cluster.serving()
    heir = cluster.other(active)
    boot, before = active.boot_id(), _gave_way(heir)
    active.freeze()
    load.wait_until_writes()
    assert cluster.runs_nfsd(heir)
    with cluster.lab.invariant(f"{heir.name} serves", lambda: cluster.runs_nfsd(heir)):
        active.thaw()
        active.wait_until_up(200, not_boot=boot)
        active.wait_until_booted()
        load.wait_until_writes()
        assert cluster.settle() is heir
    # Its advertisements moved nobody.
    assert _gave_way(heir) == before
    assert "fence " in heir.succeed("nfsha history").splitlines()[-1]
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


def _gave_way(node: Machine) -> int:
    """How often a node's keepalived has given the address up, or not had it, in this boot."""
    return node.journal("--boot --unit=keepalived").count("Entering BACKUP STATE")


def test_a_node_whose_server_does_not_end_resets_itself(cluster: Cluster, load: Load) -> None:
    """As one whose threads hang in the file system. With the lock let go of, they would write behind the next server."""
    active = cluster.serving()
    heir, boot = cluster.other(active), active.boot_id()
    active.write_file(_HANGS, "[Service]\nExecStop=\nExecStop=/bin/sleep infinity\n")
    active.succeed("systemctl daemon-reload")
    with cluster.one_server_at_most():
        active.succeed("systemctl stop --no-block keepalived")
        load.wait_until_writes()
        assert cluster.runs_nfsd(heir)
        active.wait_until_up(200, not_boot=boot)
        active.wait_until_booted()
        assert cluster.settle() is heir
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


def test_the_connection_of_the_node_that_fences_breaks(cluster: Cluster, load: Load) -> None:
    """In the next session the target would refuse its writes, and clients be told so; it resets itself before. It is alone,
    and serves again when it has booted.
    """
    active = cluster.serving()
    heir = cluster.other(active)
    with cluster.one_server_at_most():
        active.crash()
        heir.wait_until_succeeds("test -e /run/nfsha/fenced", 60)
        before = len(heir.console())
        load.wait_until_writes()
        cluster.target.succeed(_BREAK.format(address=heir.address))
        load.wait_until_writes()
        assert cluster.serving() is heir
        said = heir.console()[before:]
        assert "its session with the target broke" in said and "reservation conflict" not in said
        assert "NO reservation" in heir.succeed(f"sg_persist --no-inquiry --in --read-reservation {SITE.lun_path}")
        active.start()
        active.wait_until_booted()
        assert cluster.settle() is heir
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


def test_a_target_that_restarts_does_not_get_anybody_fenced(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    with cluster.no_node_resets(), cluster.one_server_at_most():
        cluster.target.succeed("systemctl restart tgt")
        load.wait_until_writes()
        assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()


def test_a_target_is_away_while_a_client_writes_much(cluster: Cluster, load: Load) -> None:
    """More than the server has threads: none is left to answer whether it works, and nothing is held against it."""
    active = cluster.serving()
    cluster.client.write_file("/root/many", _MANY, 0o755)
    cluster.client.succeed("systemd-run --quiet --unit=many /root/many")
    cluster.client.wait_until_succeeds(f"test $(ls {MOUNT}/{WORK}/many | wc -l) = {_WRITERS}")
    restarts = active.succeed("systemctl show --property=ExecMainStartTimestampMonotonic nfs-server")
    with cluster.no_node_resets(), cluster.one_server_at_most():
        cluster.target.succeed("systemctl stop tgt")
        active.wait_until_succeeds(f"sort --numeric-sort --reverse {_BEATS} | awk '{{ exit $1 < {_AWAY} }}'", 320)
        cluster.target.succeed("systemctl start tgt")
        cluster.client.succeed("systemctl stop many")
        load.wait_until_writes()
        assert cluster.settle() is active
    assert active.succeed("systemctl show --property=ExecMainStartTimestampMonotonic nfs-server") == restarts
    cluster.assert_healthy()
    load.stop_and_check()


def test_a_target_that_takes_a_connection_and_says_nothing(cluster: Cluster, load: Load) -> None:
    """As one may that restarts: the node that waits for its answer asks again before it would reset itself."""
    active, target = cluster.serving(), cluster.target
    target.write_file("/root/mute.py", _MUTE)
    mute = f"systemd-run --quiet --unit=mute python3 /root/mute.py {cluster.other(active).address}"
    with cluster.no_node_resets(), cluster.one_server_at_most():
        target.succeed(f"systemctl stop tgt && {mute}")
        target.wait_until_succeeds("test -e /run/mute", 60)
        target.succeed("systemctl start tgt")
        load.wait_until_writes()
        assert cluster.settle() is active
    cluster.assert_healthy()
    # 10 s for the answer, and as much again for the rest. With 30 s, the default, the node would be near its reset.
    assert load.stop_and_check().stall("write") < 30


def test_a_target_that_closes_what_it_takes(cluster: Cluster, load: Load) -> None:
    """As one does that starts: an iscsid before 2.1.9 never comes back after that by itself, and its node would be reset."""
    active, target = cluster.serving(), cluster.target
    heir = cluster.other(active)
    target.write_file("/root/hasty.py", _HASTY)
    hasty = f"systemd-run --quiet --unit=hasty python3 /root/hasty.py {heir.address}"
    heir.succeed(_SLOW.format("1%"))
    with cluster.no_node_resets(), cluster.one_server_at_most():
        target.succeed(f"systemctl stop tgt && {hasty}")
        target.wait_until_fails("systemctl is-active --quiet hasty", 120)
        if heir.execute(_OLD)[0] == 0:
            heir.succeed(_LOST)
        heir.succeed(_SLOW.format(""))
        target.succeed("systemctl start tgt")
        load.wait_until_writes()
        heir.wait_until_succeeds("grep --quiet LOGGED_IN /sys/class/iscsi_session/session*/state", 60)
        assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()
