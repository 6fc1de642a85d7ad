"""Each rule between values is asserted with its whole message."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nfsha_config.site import checks, load

from .texts import EXPORT, NODES, OTHER_EXPORT, problems, site_text

THREE = (*NODES, {"name": '"n3"', "address": '"192.168.50.13"'})


def test_the_least_site_is_valid() -> None:
    site = load.load(site_text(), "x")
    assert [node.number for node in site.nodes] == [1, 2]
    assert [node.priority for node in site.nodes] == [246, 245]


def test_three_nodes_are_valid() -> None:
    assert load.load(site_text(nodes=THREE), "x").slots == 3


@pytest.mark.parametrize(("count", "typed"), [(0, "0"), (1, "1"), (9, "9")])
def test_number_of_nodes(count: int, typed: str) -> None:
    nodes = tuple({"name": f'"n{one}"', "address": f'"192.168.50.{100 + one}"'} for one in range(count))
    assert problems(site_text(nodes=nodes)) == [f"node: stands {typed} times (write [[node]] for each of 2 to 8 nodes)"]


def test_node_name_twice() -> None:
    nodes = (NODES[0], {**NODES[1], "name": '"n1"'})
    assert problems(site_text(nodes=nodes)) == ['node[2].name = "n1": is the same as node[1].name (give each its own)']


TWICE = "is the same address as {} (give each its own)"
OUTSIDE = (
    "is outside the network 192.168.50.0/24 of the virtual address "
    "(VRRP needs nodes and virtual address in one network; mend the address or the prefix)"
)
END = "is an end of the network 192.168.50.0/24 (take an address of a host)"
NO_UNICAST = "can't be the address of a machine (take a unicast address)"


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("192.168.50.11", TWICE.format("node[1].address")),
        ("192.168.50.10", TWICE.format("network.virtual_address")),
        ("192.168.51.12", OUTSIDE),
        ("192.168.50.0", END),
        ("192.168.50.255", END),
        ("127.0.0.1", NO_UNICAST),
        ("224.0.0.18", NO_UNICAST),
        ("0.0.0.0", NO_UNICAST),
        ("240.1.1.1", NO_UNICAST),
        ("255.255.255.255", NO_UNICAST),
    ],
)
def test_node_address(address: str, wrong: str) -> None:
    nodes = (NODES[0], {**NODES[1], "address": f'"{address}"'})
    assert problems(site_text(nodes=nodes)) == [f'node[2].address = "{address}": {wrong}']


@pytest.mark.parametrize(
    ("portal", "wrong"),
    [
        ("192.168.50.12:3260", TWICE.format("node[2].address")),
        ("192.168.50.255:3260", END),
        ("192.168.50.20:0", "has a port outside 1 to 65535 (3260 is the usual one)"),
        ("192.168.50.20:65536", "has a port outside 1 to 65535 (3260 is the usual one)"),
    ],
)
def test_portal(portal: str, wrong: str) -> None:
    assert problems(site_text({"storage.portal": f'"{portal}"'})) == [f'storage.portal = "{portal}": {wrong}']


def test_portal_in_another_network_is_valid() -> None:
    load.load(site_text({"storage.portal": '"10.0.0.1:3260"'}), "x")


def test_virtual_address_is_the_network() -> None:
    assert problems(site_text({"network.virtual_address": '"192.168.50.0/24"'})) == [
        f'network.virtual_address = "192.168.50.0/24": {END}'
    ]


WITNESS = (
    'network.witnesses = "{}": is the same address as {} '
    "(name a machine that is neither a node nor the service, such as the router)"
)


@pytest.mark.parametrize(
    ("witnesses", "wrong"),
    [
        ('["192.168.50.12"]', WITNESS.format("192.168.50.12", "node[2].address")),
        ('["192.168.50.10"]', WITNESS.format("192.168.50.10", "network.virtual_address")),
        ('["1.2.3.4", "1.2.3.4"]', 'network.witnesses = "1.2.3.4": holds an entry twice (write each once)'),
        ('["127.0.0.1"]', f'network.witnesses = "127.0.0.1": {NO_UNICAST}'),
    ],
)
def test_witnesses(witnesses: str, wrong: str) -> None:
    assert problems(site_text({"network.witnesses": witnesses})) == [wrong]


def test_target_may_be_witness() -> None:
    load.load(site_text({"network.witnesses": '["192.168.50.20"]'}), "x")


def test_chap_users_are_the_same() -> None:
    text = site_text({"storage.node_user": '"same"', "storage.target_user": '"same"'})
    assert problems(text) == [
        'storage.target_user = "same": is the same as storage.node_user (tgt knows one secret a name; take two names)'
    ]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        (
            {"storage.state_size": '"31MiB"'},
            'storage.state_size = "31MiB": is too small (take 32MiB or more; two OCFS2 journals must fit)',
        ),
        (
            {"storage.state_size": '"65537KiB"'},
            'storage.state_size = "65537KiB": is no whole number of MiB (round it up)',
        ),
        (
            {"storage.size": '"191MiB"'},
            'storage.size = "191MiB": leaves too little beside the state partition (leave 128MiB or more for the data)',
        ),
        (
            {"storage.size": '"1000000001"'},
            'storage.size = "1000000001": is no whole number of sectors of 512 bytes '
            "(take what `blockdev --getsize64` prints)",
        ),
    ],
)
def test_sizes(changes: dict[str, str], wrong: str) -> None:
    assert problems(site_text(changes)) == [wrong]


def test_smallest_disk_is_valid() -> None:
    load.load(site_text({"storage.size": '"160 M"', "storage.state_size": '"33554432"'}), "x")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        (
            {"timings.nfs_lease": "30", "timings.nfs_grace": "29"},
            "timings.nfs_grace = 29: is shorter than timings.nfs_lease = 30 "
            "(take at least 30; a client may notice the takeover only when its lease ends)",
        ),
        (
            {"timings.nfs_lease": "91"},
            "timings.nfs_grace = 90: is shorter than timings.nfs_lease = 91 "
            "(take at least 91; a client may notice the takeover only when its lease ends)",
        ),
        (
            {"timings.o2cb_idle": "5000", "timings.o2cb_keepalive": "5000"},
            "timings.o2cb_idle = 5000: is not above timings.o2cb_keepalive = 5000 "
            "(take more than 5000; the kernel refuses an idle time that is not above the keepalive)",
        ),
    ],
)
def test_timings_that_contradict(changes: dict[str, str], wrong: str) -> None:
    assert problems(site_text(changes)) == [wrong]


def test_timings_at_their_limits_are_valid() -> None:
    load.load(site_text({"timings.nfs_lease": "90", "timings.o2cb_keepalive": "9999"}), "x")


def test_no_export() -> None:
    assert problems(site_text(exports=())) == ["export: is missing (write one [[export]], with the path /srv/nfs4/data)"]


@pytest.mark.parametrize("path", ["/srv/nfs4", "/srv/nfs4/database", "/", "/data"])
def test_export_elsewhere(path: str) -> None:
    assert problems(site_text(exports=({**EXPORT, "path": f'"{path}"'},))) == [
        f'export[1].path = "{path}": is not the shared data file system '
        "(take /srv/nfs4/data; nothing else is on the shared disk)"
    ]


def test_an_export_below_the_data_has_no_effect_and_is_refused() -> None:
    wrong = (
        'path = "/srv/nfs4/data/b": would have no clients and options of its own, since no file system is mounted there '
        "(take /srv/nfs4/data, which exports all below it; keep people apart by owners and modes of directories)"
    )
    assert problems(site_text(exports=(OTHER_EXPORT,))) == [f"export[1].{wrong}"]
    assert problems(site_text(exports=(EXPORT, OTHER_EXPORT))) == [f"export[2].{wrong}"]


def test_export_twice() -> None:
    assert problems(site_text(exports=(EXPORT, EXPORT))) == [
        'export[2].path = "/srv/nfs4/data": is the same as export[1].path (keep one of the two)'
    ]


def export_problems(**values: str) -> list[str]:
    return problems(site_text(exports=({**EXPORT, **values},)))


def test_no_export_clients() -> None:
    wrong = "export[1].clients = []: is empty (name a host or a network, exports(5))"
    assert export_problems(clients="[]") == [wrong]


@pytest.mark.parametrize(
    "client",
    ["", " ", "a b", "a(rw)", "-ro", "host-", "192.168.50.0/33", "192.168.50.999", "a/b", "10.0.0.0/24/2", "1::2::3",
     "é", "@", "a#b"],
)  # fmt: skip
def test_client_that_exportfs_does_not_know(client: str) -> None:
    wrong = f'export[1].clients = "{client}": holds what exports(5) does not know (name hosts or networks)'
    assert export_problems(clients=f'["{client}"]') == [wrong]


@pytest.mark.parametrize(
    "client",
    ["client", "a.example.org", "*.example.org", "*", "web[12]", "192.168.50.0/24", "192.168.50.7/255.255.255.0",
     "10.1.1.1", "::1", "fe80::/64", "@hosts", "192.168.50.*", "node?"],
)  # fmt: skip
def test_client_that_exportfs_knows(client: str) -> None:
    load.load(site_text(exports=({**EXPORT, "clients": f'["{client}"]'},)), "x")


def test_client_twice() -> None:
    assert export_problems(clients='["a", "b", "a"]') == [
        'export[1].clients = "a": holds an entry twice (write each once)'
    ]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ('["fsid=0"]', '"fsid=0": is not for this place (set it with the key fsid)'),
        (
            '["async"]',
            '"async": is not for this place '
            "(take sync; async answers before the data is on the disk, and a crash loses it)",
        ),
        (
            '["mp=/x"]',
            '"mp=/x": is not for this place (leave it out; nfsha starts the server only with the file system mounted)',
        ),
        ('["rw "]', '"rw ": is an option that exportfs refuses (see exports(5))'),
        ('[""]', '"": is an option that exportfs refuses (see exports(5))'),
        ('["no_hide"]', '"no_hide": is an option that exportfs refuses (see exports(5))'),
        ('["RW"]', '"RW": is an option that exportfs refuses (see exports(5))'),
        ('["sec=krb"]', '"sec=krb": has a value that is none for sec (see exports(5))'),
        ('["sec"]', '"sec": has a value that is none for sec (see exports(5))'),
        ('["anonuid=x"]', '"anonuid=x": has a value that is none for anonuid (see exports(5))'),
        ('["anonuid=4294967296"]', '"anonuid=4294967296": has a value that is none for anonuid (see exports(5))'),
        ('["anongid=٣"]', '"anongid=٣": has a value that is none for anongid (see exports(5))'),
        ('["rw=1"]', '"rw=1": has a value, and rw takes none (write rw)'),
        ('["ro", "rw"]', '"ro": contradicts rw (keep one of the two)'),
        ('["no_root_squash", "root_squash"]', '"root_squash": contradicts no_root_squash (keep one of the two)'),
        ('["rw", "rw"]', '"rw": holds an entry twice (write each once)'),
        ('["anonuid=1", "anonuid=2"]', '"anonuid": holds an entry twice (write each once)'),
    ],
)
def test_export_option(options: str, wrong: str) -> None:
    assert export_problems(options=options) == [f"export[1].options = {wrong}"]


@pytest.mark.parametrize("option", ["sec=krb5p:krb5i", "anonuid=4294967294", "anongid=-2", "no_root_squash", "nohide"])
def test_export_option_is_valid(option: str) -> None:
    load.load(site_text(exports=({**EXPORT, "options": f'["{option}"]'},)), "x")


@pytest.mark.parametrize("name", ["target", "client"])
def test_a_node_that_is_named_as_another_machine(name: str) -> None:
    (said,) = problems(site_text(nodes=({**NODES[0], "name": f'"{name}"'}, NODES[1])))
    assert said == f'node[1].name = "{name}": is what nfsha calls another machine (take another name)'


def test_no_options_are_valid() -> None:
    assert load.load(site_text(exports=({**EXPORT, "options": "[]"},)), "x").exports[0].options == ()


PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
EXPORTFS = """
mount -t tmpfs none /etc && mount -t tmpfs none /var/lib || exit 77
mkdir /etc/exports.d /var/lib/nfs; : > /etc/exports; : > /var/lib/nfs/etab; : > /var/lib/nfs/rmtab
cat > /etc/exports.d/options.exports
exportfs -a
"""


@pytest.mark.skipif(shutil.which("exportfs", path=PATH) is None, reason="needs nfs-kernel-server")
def test_exportfs_takes_each_option_that_is_let_through(tmp_path: Path) -> None:
    valued = ["anonuid=4294967294", "anongid=-2", "sec=none:sys:krb5:krb5i:krb5p"]
    lines = [f"{tmp_path} 10.0.0.{n}({flag})" for n, flag in enumerate([*sorted(checks._FLAGS), *valued], 1)]
    become_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    unshare = ["unshare", *become_root, "--mount", "sh", "-c", EXPORTFS]
    env = {**os.environ, "PATH": PATH}
    text = "\n".join([*lines, f"{tmp_path} 10.0.0.99(no_hide)", ""])
    done = subprocess.run(unshare, input=text, capture_output=True, text=True, check=False, env=env)
    if "unshare:" in done.stderr or done.returncode == 77:
        pytest.skip("needs a mount namespace")
    assert [line for line in done.stderr.split("\n") if "unknown" in line or "Bad" in line or "bad" in line] == [
        f'exportfs: /etc/exports.d/options.exports:{len(lines) + 1}: unknown keyword "no_hide"'
    ]


SYSTEM = "is a place that the system needs (take a directory of its own, such as /data)"
SERVERS = "lies where the servers mount the shared disk (take a directory of its own, such as /data)"


@pytest.mark.parametrize(
    ("point", "wrong"),
    [
        *((place, SYSTEM) for place in ("/", "/var", "/var/lib", "/usr", "/usr/share/x", "/etc/x")),
        *((place, SYSTEM) for place in ("/tmp/x", "/boot/efi", "/bin", "/sbin/x", "/lib64", "/run/nfs", "/root")),
        *((place, SERVERS) for place in ("/srv/nfs4", "/srv/nfs4/data", "/srv/nfs4/data/x", "/var/lib/nfs")),
    ],
)  # fmt: skip
def test_mount_point(point: str, wrong: str) -> None:
    assert problems(site_text({"client.mount_point": f'"{point}"'})) == [f'client.mount_point = "{point}": {wrong}']


@pytest.mark.parametrize(
    "point", ["/data", "/srv", "/home", "/mnt/nfs", "/var/www", "/var/lib/app", "/usrdata", "/srv/nfs45"]
)
def test_mount_point_is_valid(point: str) -> None:
    assert load.load(site_text({"client.mount_point": f'"{point}"'}), "x").client.mount_point == point


def test_rules_that_lack_a_value_are_silent() -> None:
    text = site_text(dict.fromkeys(("network.virtual_address", "storage.portal", "storage.size"), '""'))
    assert [re.split(" = |:", line)[0] for line in problems(text)] == [
        "network.virtual_address", "storage.portal", "storage.size",
    ]  # fmt: skip
