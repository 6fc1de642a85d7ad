"""Each rendered file is read by the program that it is for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nfsha_config.host import kernel, lun
from nfsha_config.render import ManagedFile, Owned
from tests.golden.sites import SITES, rendered

from .machine import interface, on_machine

SITE_AND_NODE = pytest.mark.parametrize(("name", "host"), [("lab", "nfs2"), ("three", "store-a")])


# keepalived

CONF = "/etc/keepalived/keepalived.conf"
CONFIG_TEST = f"keepalived --config-test --use-file {CONF} 2>&1"


@SITE_AND_NODE
def test_keepalived_takes_its_file(name: str, host: str) -> None:
    make = interface(SITES[name].network.interface)
    assert on_machine(rendered(name, host), f"{make}\n{CONFIG_TEST}") == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (f"sed -i s/advert_int/advert_itn/ {CONF}", "Unknown keyword 'advert_itn'"),
        ("chmod 777 /usr/libexec/nfsha/witness", "insecure"),
        ("ip link set bond0.120 name eth7", "interface bond0.120 for vrrp_instance nfsha doesn't exist"),
    ],
)
def test_keepalived_can_refuse(change: str, said: str) -> None:
    """On a site with witnesses, since of a notify script it says nothing."""
    shown = on_machine(rendered("three", "store-a"), f"{interface('bond0.120')}\n{change}\n{CONFIG_TEST}", check=False)
    assert said in shown and not shown.endswith("\n0\n")


# tgt

TGT = "/etc/tgt/conf.d/nfsha.conf"


@pytest.mark.parametrize("name", SITES)
def test_tgt_admin_takes_its_file(name: str) -> None:
    """Through Debian's own targets.conf, which includes it."""
    site = SITES[name]
    script = f"""
    mount -t tmpfs tmpfs /mnt
    truncate --size 1M /mnt/disk
    grep -qF '<backing-store {site.storage.device}>' {TGT}
    sed -i 's#{site.storage.device}#/mnt/disk#' {TGT}
    tgt-admin --pretend --execute --conf /etc/tgt/targets.conf 2>&1
    """
    shown = [line.strip() for line in on_machine(rendered(name, "target"), script).splitlines()]
    no_write_cache = "8:0:18:0x10:0:0xff:0xff:0:0:0xff:0xff:0xff:0xff:0x80:0x14:0:0:0:0:0:0"
    assert [line.removeprefix("tgtadm -C 0 --lld iscsi ") for line in shown if line.startswith("tgtadm -C")] == [
        f"--op new --mode target --tid 1 -T {site.storage.iqn}",
        '--op new --mode logicalunit --tid 1 --lun 1 -b "/mnt/disk"',
        f"--op update --mode logicalunit --tid 1 --lun=1 --params mode_page={no_write_cache}",
        f"--mode account --op new --user={site.storage.node_user} --password=the-nodes-golden-secret",
        f"--mode account --op bind --tid=1 --user={site.storage.node_user}",
        *(f"--op bind --mode target --tid 1 -I {node.address}" for node in site.nodes),
        f"--mode account --op new --user={site.storage.target_user} --password=the-targets-golden-secret",
        f"--mode account --op bind --tid=1 --user={site.storage.target_user} --outgoing",
    ]  # fmt: skip


# NFS


@SITE_AND_NODE
def test_rpc_nfsd_starts_with_the_scope_and_the_host_keeps_its_name(name: str, host: str) -> None:
    script = """
    hostname before
    mount -t tmpfs tmpfs /proc/fs && mkdir /proc/fs/nfsd && echo 0 >/proc/fs/nfsd/threads
    mkdir -p /run/rpc_pipefs/nfsd && mkfifo /run/rpc_pipefs/nfsd/cld
    printf '#!/bin/sh\\necho "scope $(hostname)"\\n' >/usr/sbin/rpc.nfsd
    unshare --uts /usr/libexec/nfsha/start-nfsd
    hostname
    for key in lease-time grace-time vers3 vers4.0 vers4.1 vers4.2 udp; do nfsconf --get nfsd "$key"; done
    """
    site = SITES[name]
    wanted = [f"scope {site.cluster.name}", "before", site.timings.nfs_lease, site.timings.nfs_grace, *"nnyyn"]
    assert on_machine(rendered(name, host), script).split("\n") == [*map(str, wanted), ""]


def _start_nfsd(nfsd: str, start: str) -> list[str]:
    """What is said where rpc.nfsd does that; $1 is its argument, and /run/called has a line for each call."""
    script = f"""
    mount -t tmpfs tmpfs /proc/fs && mkdir /proc/fs/nfsd && echo 0 >/proc/fs/nfsd/threads
    mkdir -p /run/rpc_pipefs/nfsd
    cat >/usr/sbin/rpc.nfsd <<'EOF'
#!/bin/sh
echo "rpc.nfsd $*" | tee -a /run/called
{nfsd}
EOF
    {start}
    """
    return on_machine(rendered("lab", "nfs1"), script).splitlines()


_LATE = "nfsha: nfsdcld has not answered in time: nfsd is started anew"


def test_nfsd_is_started_anew_until_nfsdcld_answers() -> None:
    nfsd = "[ $(wc -l </run/called) -lt 5 ] || mkfifo /run/rpc_pipefs/nfsd/cld"
    shown = _start_nfsd(nfsd, "unshare --uts /usr/libexec/nfsha/start-nfsd")
    assert shown == ["rpc.nfsd ", *(2 * [_LATE, "rpc.nfsd 0", "rpc.nfsd "])]


def test_an_nfsdcld_that_never_answers_is_for_admit_to_tell() -> None:
    shown = _start_nfsd("", "unshare --uts /usr/libexec/nfsha/start-nfsd")
    assert shown == ["rpc.nfsd ", *(5 * [_LATE, "rpc.nfsd 0", "rpc.nfsd "])]


def test_threads_that_somebody_has_started_are_ended_first() -> None:
    start = "echo 8 >/proc/fs/nfsd/threads; mkfifo /run/rpc_pipefs/nfsd/cld; unshare --uts /usr/libexec/nfsha/start-nfsd"
    assert _start_nfsd("", start) == ["rpc.nfsd 0", "rpc.nfsd "]


def test_no_server_starts_with_another_scope() -> None:
    """The kernel cuts a name short that it has no room for."""
    start = """
    sed -i 's/^scope = .*/scope = 0123456789012345678901234567890123456789012345678901234567890123456789/' /etc/nfs.conf.d/nfsha.conf
    unshare --uts /usr/libexec/nfsha/start-nfsd || echo "status $?"
    """
    said, status = _start_nfsd("", start)
    assert said.startswith("nfsha: the server scope would be 0123456789") and status == "status 1"


def test_a_start_that_is_called_off_leaves_no_server() -> None:
    """As systemd does it: all of the unit's processes get the signal, and ExecStop is not run."""
    shown = _start_nfsd(
        '[ "$1" = 0 ] || exec sleep 5',
        """
        setsid unshare --uts /usr/libexec/nfsha/start-nfsd & start=$!
        until grep -q . /run/called 2>/dev/null; do sleep 0.05; done
        kill -TERM -$start
        wait $start && echo in order
        """,
    )
    assert [line for line in shown if line != "Terminated"] == ["rpc.nfsd ", "rpc.nfsd 0", "in order"]


@SITE_AND_NODE
def test_exportfs_takes_the_exports(name: str, host: str) -> None:
    site = SITES[name]
    paths = " ".join(export.path for export in site.exports)
    script = f"""
    ip link set lo up
    echo 127.0.0.1 client >>/etc/hosts
    mkdir -p {paths}
    systemd-tmpfiles --create nfsha.conf
    exportfs -ar 2>&1
    # As dpkg does when nfs-kernel-server is upgraded on any node: its own file, in the place of what is there.
    rm -f /var/lib/nfs/etab && : >/var/lib/nfs/etab
    exportfs -s >/dev/null
    cat /run/nfsha/exports/etab
    """
    shown = [line.split("(")[0].split("\t") for line in on_machine(rendered(name, host), script).splitlines()]
    root = dict.fromkeys(client for export in site.exports for client in export.clients)
    wanted = [["/srv/nfs4", client] for client in (str(site.network.virtual_address.ip), *root)]
    wanted += [[export.path, client] for export in site.exports for client in export.clients]
    assert sorted(shown) == sorted(wanted)


# OCFS2 and the rest


@SITE_AND_NODE
def test_o2cb_reads_the_cluster(name: str, host: str) -> None:
    site = SITES[name]
    shown = on_machine(rendered(name, host), f"o2cb list-cluster --oneline {site.cluster.name}").splitlines()
    nodes = [f"node: {node.number} {node.name} {node.address}:7777 {site.cluster.name}" for node in site.nodes]
    assert shown == [*nodes, f"cluster: {len(nodes)} local {site.cluster.name}"]


def test_what_the_shared_state_needs_is_made() -> None:
    script = """
    mount -t tmpfs -o mode=0755 tmpfs /var/lib/nfs
    rm -rf /run/nfsha
    umask 077
    systemd-tmpfiles --create nfsha.conf /usr/share/nfsha-node/state.conf
    echo kept >/var/lib/nfs/nfsdcld/main.sqlite
    systemd-tmpfiles --create nfsha.conf /usr/share/nfsha-node/state.conf
    grep kept /var/lib/nfs/nfsdcld/main.sqlite
    find /var/lib/nfs /run/nfsha -printf '%m %u:%g %p\\n' | sort -k3
    """
    assert on_machine(rendered("lab", "nfs1"), script).splitlines() == [
        "kept",
        "755 root:root /run/nfsha",
        "755 root:root /run/nfsha/exports",
        "644 root:root /run/nfsha/exports/etab",
        "644 root:root /run/nfsha/exports/rmtab",
        "755 root:root /var/lib/nfs",
        "700 root:root /var/lib/nfs/nfsdcld",
        "600 root:root /var/lib/nfs/nfsdcld/main.sqlite",
        "700 root:root /var/lib/nfs/nfsha",
        "600 root:root /var/lib/nfs/nfsha/active.lock",
        "700 statd:nogroup /var/lib/nfs/sm",
        "700 statd:nogroup /var/lib/nfs/sm.bak",
        "755 root:root /var/lib/nfs/v4recovery",
    ]


def test_sysctl_knows_its_keys() -> None:
    shown = on_machine(rendered("lab", "nfs1"), "sysctl --dry-run --load=/usr/lib/sysctl.d/60-nfsha.conf 2>&1")
    assert shown == "kernel.panic_on_oops = 1\nkernel.panic = 30\nfs.leases-enable = 0\n"
    assert {f"{key} = {value}" for key, value in kernel.NEEDED.items()} < set(shown.splitlines()), "each is told of, if it is not so"


@pytest.mark.parametrize("shell", ["sh", "dash", "bash --posix"])
def test_programs_are_plain_sh(shell: str) -> None:
    programs = [file for file in rendered("lab", "nfs1") if file.mode == 0o755]
    assert len(programs) >= 5
    for program in programs:
        assert program.text.startswith("#!/bin/sh\n")
        done = subprocess.run([*shell.split(), "-n"], input=program.text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), program.path


def test_who_answers_is_a_witness() -> None:
    script = """
    ip link set lo up
    mkdir -p /run/nfsha
    /usr/libexec/nfsha/witness 192.0.2.1 127.0.0.9 && echo yes
    /usr/libexec/nfsha/witness 192.0.2.1 192.0.2.2 || cat /run/nfsha/unwitnessed
    /usr/libexec/nfsha/witness 127.0.0.9 && [ ! -e /run/nfsha/unwitnessed ]
    """
    assert on_machine(rendered("three", "store-a"), script) == "yes\n192.0.2.1 192.0.2.2\n"


def test_many_silent_witnesses_do_not_hide_one_that_answers() -> None:
    """Each silent one is waited for; together they may take no longer than keepalived gives the script."""
    script = f"""
    ip link set lo up
    {interface("eth1")} && ip link set eth1 up && ip link set other up && ip address add 192.0.2.9/24 dev eth1
    mkdir -p /run/nfsha
    timeout 4 /usr/libexec/nfsha/witness 192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 127.0.0.9 && echo yes
    """
    assert on_machine(rendered("three", "store-a"), script) == "yes\n"


NOTIFY = """
mkdir -p /run/log /run/nfsha
for program in systemctl logger; do
    printf '#!/bin/sh\\necho %s "$@"\\n' "$program" >/usr/bin/$program
done
"""


def test_notify_says_what_the_node_wants() -> None:
    """systemctl only prints here: there is no systemd to ask."""
    script = NOTIFY + """
    for state in MASTER FAULT MASTER STOP BACKUP; do
        /usr/libexec/nfsha/notify INSTANCE nfsha $state 100
        cat /run/nfsha/vrrp
        ls /run/nfsha | grep -x master || echo wants nothing
    done
    """
    start = "systemctl start --no-block nfsha-active.target"
    stop = "systemctl stop --no-block nfsha-active.target nfsha-active.service"
    wanted = ""
    for state, then in (("MASTER", start), ("FAULT", stop), ("MASTER", start), ("STOP", stop), ("BACKUP", stop)):
        wants = "master" if then == start else "wants nothing"
        wanted += f"{then}\nlogger --tag nfsha VRRP state: {state}\n{state}\n{wants}\n"
    assert on_machine(rendered("lab", "nfs1"), script) == wanted


@pytest.mark.parametrize("name", SITES)
def test_sfdisk_makes_the_partitions(name: str, tmp_path: Path) -> None:
    site = SITES[name]
    image = tmp_path / "lun.img"
    with image.open("wb") as file:
        file.truncate(site.storage.size)
    subprocess.run(["sfdisk", "--quiet", image], input=lun.layout(site), text=True, check=True, capture_output=True)
    shown = subprocess.run(["sfdisk", "--dump", image], text=True, check=True, capture_output=True).stdout
    probed = subprocess.run(["blkid", "--probe", image], text=True, check=True, capture_output=True).stdout
    image.unlink()
    assert f'PTUUID="{site.disk_id}"' in probed
    rows = [line.partition(": ")[2] for line in shown.splitlines() if "start=" in line]
    assert len(rows) == 2
    for row, start, size, label in zip(
        rows,
        (2048, 2048 + site.storage.state_size // 512),
        (site.storage.state_size // 512, (site.storage.size - site.storage.state_size) // 512 - 4096),
        ("nfsha-state", "nfsha-data"),
        strict=True,
    ):
        assert row.replace(" ", "").startswith(f"start={start},size={size},")
        assert f'name="{label}"' in row


def test_a_file_for_a_place_is_put_there() -> None:
    """The machine itself: what is laid over it is there with its mode, and gone afterwards."""
    file = ManagedFile("/etc/nfsha-test/file", "text\n", 0o600, Owned.SECRET)
    assert on_machine([file], "stat -c %a /etc/nfsha-test/file && cat /etc/nfsha-test/file") == "600\ntext\n"
    assert not Path("/etc/nfsha-test").exists()
