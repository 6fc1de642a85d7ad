"""The serving node goes, planned or not: clients wait a while and lose nothing."""

from __future__ import annotations

import re
import time

import pytest

from nfsha_config.site import load as site_load
from nfsha_lab.capture import Capture, capture
from nfsha_lab.cluster import MOUNT, WORK, Cluster
from nfsha_lab.load import Load, make_directory
from nfsha_lab.machine import Machine
from nfsha_lab.pace import pace_of

# Seconds on a calm host; a story measures how much slower its own is (nfsha_lab/pace.py).
# The lock manager looks for dead nodes every 5 s, and OCFS2 goes on with it; 6 s or 11 s where nobody holds the super lock
# (nfsha_config/host/recovery.py).
RECOVERY_TIMER, RECOVERY_BEGINS = 5.0, 0.8
# Without its file open, it was taken up to 4 s later (packages/nfsha-node/usr/libexec/nfsha/open-lock).
LOCK_TAKEN = 0.7
# To the gate from the lock, or from the end of the data's recovery, whose lock manager has a timer of its own. With the
# second that who asks for an unknown lock meanwhile sleeps (nfsha_config/host/recovery.py); 2.6 s were seen.
SERVED = 4.0
# In which nfsha-clients.service has seen that the gate is open, and has called, also on a busy machine.
CALLED = 0.7
# Between two attempts of a client whose connection was refused (net/sunrpc/clnt.c, call_connect_status).
AGAIN = 3.0
# On any host: a grace period that no client ends lasts 90 s.
EARLY = 45.0
SITE = site_load.load_file(site_load.LAB)
# Makes files one after the other, and notes each when it was acknowledged; nobody writes, which would commit them as well.
_NAMER = f"""
import itertools, os, time
os.mkdir("{MOUNT}/{WORK}/names")
with open("/run/names", "w", buffering=1) as made:
    for number in itertools.count(1):
        os.close(os.open(f"{MOUNT}/{WORK}/names/{{number}}", os.O_CREAT | os.O_EXCL))
        print(number, file=made)
        time.sleep(0.05)
"""
_REINSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install --reinstall --yes nfs-kernel-server"


@pytest.mark.long
def test_keepalived_is_stopped_on_the_serving_node_and_the_service_called_back(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    heir = cluster.other(active)
    with cluster.one_server_at_most():
        with capture(cluster.client) as seen:
            active.succeed("systemctl stop keepalived")
            active.wait_until_fails("systemctl is-active nfs-server nfsdcld nfsha-active")
            assert cluster.serving() is heir
            load.wait_until_writes()
        opened = gate_opened(heir, cluster.client)
        active.succeed("systemctl start keepalived")
        assert cluster.settle() is heir, "fail-back is manual: the address must stay"
        # And back on command, asked of the node that does not serve.
        pace = pace_of(active, load)
        assert cluster.settle() is active
    assert_called_back(seen, opened, pace)
    cluster.assert_healthy()
    load.stop_and_check()


def test_serving_node_crashes(cluster: Cluster, load: Load) -> None:
    """Someone has read the disk on the standby, journals and all: what it then replays must not be what it read."""
    active = cluster.serving()
    standby = cluster.other(active)
    standby.succeed(f"head -c 32M {SITE.lun_path}-part2 >/dev/null")
    load.wait_until_writes()
    with cluster.one_server_at_most():
        with capture(cluster.client) as seen:
            active.crash()
            load.wait_until_writes()
        assert cluster.serving() is standby
        opened = gate_opened(standby, cluster.client)
        said = standby.succeed("journalctl --boot --dmesg --output=short-unix --no-pager")
        began = recovery_began(said)
        print(f"the last journal was replayed {began:.1f} s after the eviction")
        held = changed(standby, "/run/nfsha/held")
        waited = held - lock_recovered(said)
        print(f"the lock was taken {waited:.1f} s after the lock manager had recovered the state volume")
        standby.wait_until_succeeds(f"nfsha history | grep '{standby.name} took over from {active.name}.* grace [0-9]'")
        told = standby.succeed("nfsha history | tail -n 1")
        grace = float(re.findall(r"grace ([0-9.]+) s", told)[0])
        # As one entry of the journal, and step by step.
        journal = standby.succeed("journalctl --boot --unit nfsha-clients --output cat")
        assert told.split(maxsplit=2)[2].strip() in journal
        steps = re.findall(r"^nfsha: (\w+): [0-9.]+ s$", journal, re.MULTILINE)
        assert {"lock", "nfsdcld", "nfsd", "gate"} <= set(steps), journal
        served = changed(standby, "/run/nfsha/open") - max(held, *moments(said, "End replay journal"))
        print(f"the gate was open {served:.1f} s after the lock was taken and the data recovered")
        active.start()
        active.wait_until_booted()
        assert cluster.settle() is standby
        # The node that crashed serves again.
        pace = pace_of(active, load)
        assert cluster.settle() is active
    assert_called_back(seen, opened, pace)
    assert began < RECOVERY_TIMER + RECOVERY_BEGINS * pace
    assert waited < LOCK_TAKEN * pace
    assert served < SERVED * pace
    assert grace < min(SITE.timings.nfs_lease * pace, EARLY), "all have reclaimed by then"
    cluster.assert_healthy()
    load.stop_and_check(crash=True)


@pytest.mark.long
def test_files_made_until_the_crash_are_there(cluster: Cluster) -> None:
    """But for the one of the very moment: the journal's timer alone would have undone several."""
    client, active = cluster.client, cluster.serving()
    make_directory(cluster)
    client.write_file("/root/namer.py", _NAMER)
    client.succeed("systemd-run --quiet --unit=namer python3 /root/namer.py")
    client.wait_until_succeeds("test $(wc -l </run/names) -gt 100")
    # At any point of the timer's second.
    time.sleep(time.time() % 1)
    active.crash()
    made = set(client.read_file("/run/names").decode().split())
    assert cluster.serving() is cluster.other(active)
    client.succeed("systemctl stop namer")
    found = set(client.succeed(f"ls {MOUNT}/{WORK}/names").split())
    undone = sorted(made - found, key=int)
    print(f"files made until the crash: {len(made)}, undone by it: {len(undone)}")
    assert len(undone) <= 1, undone


def gate_opened(server: Machine, client: Machine) -> float:
    """When it was, by the client's clock, as what was captured."""
    return changed(server, "/run/nfsha/open") + client.clock_ahead() - server.clock_ahead()


def changed(node: Machine, path: str) -> float:
    """When a file was written last, in seconds since the epoch."""
    return float(node.succeed(f"stat --format=%.Y {path}"))


def assert_called_back(seen: Capture, opened: float, pace: float) -> None:
    """An ACK of the new server's came first, or a retransmission of the client's own in the moment of the gate's opening.

    A client that had nothing answered for a lease has given its connection up, and tries again every 3 s.
    """
    tried = [at for at in seen.attempts if at < opened]
    if tried and tried[0] - max((at for at, _ in seen.acks if at < tried[0]), default=0.0) >= SITE.timings.nfs_lease:
        assert any(0 <= at - opened < AGAIN + pace for at in seen.attempts), f"the client did not try again:\n{seen.text}"
        return
    by_itself = any(0 <= at - opened < CALLED * pace for at, _ in seen.resets)
    assert by_itself or any(wait < pace for wait in seen.calls()), f"the client was not called:\n{seen.text}"
    assert any(wait < pace for wait in seen.reconnects()), f"the client did not come back:\n{seen.text}"


def recovery_began(said: str) -> float:
    """Seconds from a dead node's eviction to the replay of its last journal, by the survivor's kernel."""
    evicted, replayed = moments(said, "o2dlm has evicted node"), moments(said, "Begin replay journal")
    return max(replayed) - max(at for at in evicted if at < max(replayed))


def lock_recovered(said: str) -> float:
    """When the lock manager had recovered the state volume, in seconds since the epoch."""
    return max(moments(said, f"o2dlm: End recovery on domain {SITE.state_uuid.hex.upper()}"))


def moments(said: str, what: str) -> list[float]:
    """When the kernel said it, in seconds since the epoch."""
    return [float(at) for at in re.findall(rf"^([0-9.]+) .*{what}", said, re.MULTILINE)]


@pytest.mark.long
def test_the_server_is_started_and_installed_anew_on_the_standby(cluster: Cluster, load: Load) -> None:
    active = cluster.serving()
    standby = cluster.other(active)
    with cluster.one_server_at_most():
        for command in ("systemctl start nfs-server nfsdcld nfs-mountd || true", _REINSTALL):
            standby.succeed(command, 300)
            standby.fail("systemctl is-active nfs-server")
            standby.fail("systemctl is-active nfsdcld")
            assert not cluster.runs_nfsd(standby)
            load.wait_until_writes()
        assert cluster.settle() is active
    cluster.assert_healthy()
    load.stop_and_check()


@pytest.mark.long
def test_a_server_that_was_started_by_hand_is_not_what_clients_meet(cluster: Cluster, load: Load) -> None:
    """It has another scope, knows no client and is in no grace period; systemd knows nothing of it."""
    active = cluster.serving()
    standby = cluster.other(active)
    standby.succeed("mountpoint --quiet /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd; rpc.nfsd 8")
    active.crash()
    load.wait_until_writes()
    assert cluster.serving() is standby
    active.start()
    active.wait_until_booted()
    assert cluster.settle() is standby
    load.stop_and_check(crash=True)
