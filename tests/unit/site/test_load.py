"""Texts that are no site: each is answered with all its problems, whole and at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nfsha_config.problems import InputError, Problem
from nfsha_config.site import load
from nfsha_config.site.settings import REQUIRED, SETTINGS, TABLES

from .texts import EXPORT, NODES, problems, site_text

UUID = "is not a UUID (take what `uuidgen` prints)"
PATH = "is not a plain path (write it with letters, digits and . _ + @ - only, without empty parts, . and ..)"
PREFIX = "is not an IPv4 address with a prefix length (write it such as 192.168.50.10/24)"
PORTAL = "is not an address and a port (write it such as 192.168.50.20:3260)"
ADDRESS = "is not an IPv4 address (write four numbers, such as 192.168.50.11; o2cb knows IPv4 only)"
CLUSTER = (
    "is not an o2cb cluster name "
    "(take 1 to 16 letters and digits; the kernel takes nothing else (o2cb.sysconfig(5)))"
)
NAME = (
    "is not a host name "
    "(take what `hostname` prints on that machine: lower-case letters, digits and hyphens)"
)
INTERFACE = "is not a network interface name (take a name that `ip link` shows)"
IQN = "is not an iSCSI qualified name (write it such as iqn.2018-08.org.example:lun1 (RFC 7143, 4.2.7))"
USER = "is not a CHAP user name (take letters, digits, dot, _ and -)"
DEVICE = "is not a device path (take a stable one below /dev/disk/by-id/)"
SIZE = 'is not a size (write a whole number and a unit, such as "64MiB" or "1GiB")'


@pytest.mark.parametrize(
    ("key", "typed", "wrong"),
    [
        ("cluster.name", '""', CLUSTER),
        ("cluster.name", '"abcdefghijklmnopq"', CLUSTER),
        ("cluster.name", '"my-cluster"', CLUSTER),
        ("cluster.name", '"größe"', CLUSTER),
        ("cluster.name", "1", "is not a string (wanted: o2cb cluster name)"),
        ("cluster.name", "[]", "is not a string (wanted: o2cb cluster name)"),
        ("network.virtual_address", '"192.168.50.10"', PREFIX),
        ("network.virtual_address", '"192.168.50.10/255.255.255.0"', PREFIX),
        ("network.virtual_address", '"192.168.50.10/33"', PREFIX),
        ("network.virtual_address", '"fe80::1/64"', PREFIX),
        ("network.interface", '""', INTERFACE),
        ("network.interface", '"eth1 "', INTERFACE),
        ("network.interface", '"eth1:0"', INTERFACE),
        ("network.interface", '".."', INTERFACE),
        ("network.interface", '"ab{}"', INTERFACE),
        ("network.interface", '"abcdefghijklmnop"', INTERFACE),
        ("network.fail_back", '"never"', "is not one of the choices (take one of: manual, automatic)"),
        ("network.fail_back", "false", "is not a string (wanted: one of manual, automatic)"),
        ("network.witnesses", '"10.0.0.1"', "is not a list (wanted: list of IPv4 addresses)"),
        ("network.witnesses", "[1]", "holds 1, which is not a string (put each entry in quotes)"),
        ("network.witnesses", '["router"]', ADDRESS),
        ("storage.portal", '"192.168.50.20"', PORTAL),
        ("storage.portal", '"target:3260"', PORTAL),
        ("storage.portal", '"192.168.50.20:+3260"', PORTAL),
        ("storage.portal", '"192.168.50.20:3_260"', PORTAL),
        ("storage.iqn", '"iqn.2018-13.org.example:a"', IQN),
        ("storage.iqn", '"iqn.2018-08.org.example:"', IQN),
        ("storage.iqn", '"iqn.٢٠١٨-08.org.example:a"', IQN),
        ("storage.iqn", f'"iqn.2018-08.org.example:{"a" * 220}"', IQN),
        ("storage.device", '"/etc/passwd"', DEVICE),
        ("storage.device", '"/dev/../etc/passwd"', DEVICE),
        ("storage.device", '"/dev//sdb"', DEVICE),
        ("storage.device", '"/dev/sdb/"', DEVICE),
        ("storage.size", '"big"', SIZE),
        ("storage.size", '"1.5GiB"', SIZE),
        ("storage.size", '"-1GiB"', SIZE),
        ("storage.size", '"٣GiB"', SIZE),
        ("storage.size", f'"{"9" * 5000}"', SIZE),
        ("storage.size", "1073741824", "is not a string (wanted: size)"),
        ("storage.node_user", '"a b"', USER),
        ("client.mount_point", '""', "is a relative path (write the whole path, from / on)"),
        ("client.mount_point", '"data"', "is a relative path (write the whole path, from / on)"),
        ("client.mount_point", '"/data/"', "ends with a slash (leave the slash at the end out)"),
        ("client.mount_point", '"//data"', PATH),
        ("client.mount_point", '"/data/../etc"', PATH),
        ("client.mount_point", '"/my data"', PATH),
        ("client.mount_point", r'"/data\u0000"', PATH),
        ("client.mount_point", r'"/data\n"', PATH),
        ("client.mount_point", '"/%h"', PATH),
    ],
)
def test_value(key: str, typed: str, wrong: str) -> None:
    assert problems(site_text({key: typed})) == [f"{key} = {typed}: {wrong}"]


LEASE = "is outside 10 to 3600 (knfsd takes 10 to 3600 (fs/nfsd/nfsctl.c); take a whole number from 10 to 3600)"
INTERVAL = "is outside 0.1 to 40 s (VRRPv3 counts centiseconds in 12 bits (RFC 5798); take 0.1 to 40)"


@pytest.mark.parametrize(
    ("key", "typed", "wrong"),
    [
        ("timings.nfs_lease", "9", LEASE),
        ("timings.nfs_grace", "3601", LEASE),
        ("timings.nfs_grace", "100000000000000000000000000000", LEASE),
        ("timings.nfs_lease", "15.0", "is not a whole number (wanted: whole number, 10 to 3600)"),
        ("timings.nfs_lease", "true", "is not a whole number (wanted: whole number, 10 to 3600)"),
        ("timings.nfs_lease", '"15"', "is not a whole number (wanted: whole number, 10 to 3600)"),
        ("timings.vrrp_interval", "nan", INTERVAL),
        ("timings.vrrp_interval", "inf", INTERVAL),
        ("timings.vrrp_interval", "-inf", INTERVAL),
        ("timings.vrrp_interval", "0", INTERVAL),
        ("timings.vrrp_interval", "40.1", INTERVAL),
        ("timings.vrrp_interval", "true", "is not a number (wanted: seconds, 0.1 to 40)"),
        (
            "timings.o2cb_threshold", "6",
            "is outside 7 to 1000 (ocfs2-tools refuses less than 7; take a whole number from 7 to 1000)",
        ),
        (
            "timings.o2cb_reconnect", "1999",
            "is outside 2000 to 600000 "
            "(ocfs2-tools refuses less than 2000; take a whole number from 2000 to 600000)",
        ),
        (
            "network.router_id", "0",
            "is outside 1 to 255 (VRRP carries it in one byte (RFC 5798, 5.2.3); take a whole number from 1 to 255)",
        ),
        (
            "cluster.revision", "0",
            "is outside 1 to 999999 (it becomes part of a package version; take a whole number from 1 to 999999)",
        ),
    ],
)  # fmt: skip
def test_number(key: str, typed: str, wrong: str) -> None:
    assert problems(site_text({key: typed})) == [f"{key} = {typed}: {wrong}"]


@pytest.mark.parametrize("name", ["", "NFS1", "nfs_1", "nfs1.example.org", "-a", "a-", "é", "a" * 64])
def test_node_name(name: str) -> None:
    nodes = ({**NODES[0], "name": f'"{name}"'}, NODES[1])
    assert problems(site_text(nodes=nodes)) == [f'node[1].name = "{name}": {NAME}']


@pytest.mark.parametrize("address", ["", "nfs1", "192.168.50.011", "192.168.50", "::1"])
def test_node_address(address: str) -> None:
    nodes = (NODES[0], {**NODES[1], "address": f'"{address}"'})
    assert problems(site_text(nodes=nodes)) == [f'node[2].address = "{address}": {ADDRESS}']


@pytest.mark.parametrize(
    "fsid", ["", "0", "00000000-0000-0000-0000-000000000000", "{3f1c9f0a-6a63-4d7c-9a53-7a0d6f2b8c11}"]
)
def test_fsid(fsid: str) -> None:
    assert problems(site_text(exports=({**EXPORT, "fsid": f'"{fsid}"'},))) == [f'export[1].fsid = "{fsid}": {UUID}']


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.default is REQUIRED], ids=lambda setting: setting.key)
def test_a_missing_value_is_told_with_its_help(setting: load.Setting) -> None:
    if setting.table == "node":
        text = site_text(nodes=({**NODES[0], setting.name: None}, NODES[1]))
    elif setting.table == "export":
        text = site_text(exports=({**EXPORT, setting.name: None},))
    else:
        text = site_text({setting.key: None})
    where = setting.key.replace(".", "[1].") if setting.table in TABLES else setting.key
    assert problems(text) == [f"{where}: is missing ({setting.help})"]


def test_no_text_at_all() -> None:
    lines = problems("")
    missing = [s.key for s in SETTINGS if s.default is REQUIRED and s.table not in TABLES]
    assert [line.partition(":")[0] for line in lines] == [*missing, "node", "export"]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"timings.nfs_leese": "20"}, "timings.nfs_leese = 20: is not a key of a site (did you mean nfs_lease?)"),
        ({"client.zzz": '"a"'}, 'client.zzz = "a": is not a key of a site (known here: mount_point)'),
        ({"clients.x": "1"}, "clients: is not a key of a site (did you mean client?)"),
        (
            {'client."a\\nb"': '"\\u001b[1m"'},
            'client."a\\nb" = "\\u001b[1m": is not a key of a site (known here: mount_point)',
        ),
        (
            {"client.x": '[{ a = true, "b c" = 1.5 }]'},
            'client.x = [{a = true, "b c" = 1.5}]: is not a key of a site (known here: mount_point)',
        ),
    ],
)
def test_unknown_key(changes: dict[str, str], wrong: str) -> None:
    assert problems(site_text(changes)) == [wrong]


def test_unknown_keys_at_the_top_and_in_rows() -> None:
    nodes = (NODES[0], {**NODES[1], "adress": '"x"'})
    assert problems('zzz = 1\n' + site_text(nodes=nodes)) == [
        "zzz = 1: is not a key of a site "
        "(known here: client, cluster, export, network, node, storage, timings)",
        'node[2].adress = "x": is not a key of a site (did you mean address?)',
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("client = 1\n", "client = 1: is not a table (write [client])"),
        ('timings = []\n', "timings: is not a table (write [timings])"),
    ],
)
def test_table_of_another_type(text: str, wrong: str) -> None:
    assert problems(text + site_text()) == [wrong]


def test_list_of_tables_of_another_type() -> None:
    text = site_text(nodes=(), exports=())
    assert problems(f'node = {{ name = "a" }}\nexport = [1]\n{text}') == [
        "node: is not a list of tables (write [[node]] above each)",
        "export = [1]: is not a list of tables (write [[export]] above each)",
    ]


def test_all_problems_at_once() -> None:
    changes = {"cluster.name": '"a-b"', "storage.size": "1", "timings.nfs_leas": "1", "timings.o2cb_keepalive": "10000"}
    nodes = (NODES[0], {"name": '"n1"', "address": '"10.0.0.1"'})
    assert problems(site_text(changes, nodes, ())) == [
        "timings.nfs_leas = 1: is not a key of a site (did you mean nfs_lease?)",
        f'cluster.name = "a-b": {CLUSTER}',
        "storage.size = 1: is not a string (wanted: size)",
        'node[2].name = "n1": is the same as node[1].name (give each its own)',
        'node[2].address = "10.0.0.1": is outside the network 192.168.50.0/24 of the virtual address '
        "(VRRP needs nodes and virtual address in one network; mend the address or the prefix)",
        "timings.o2cb_idle = 10000: is not above timings.o2cb_keepalive = 10000 "
        "(take more than 10000; the kernel refuses an idle time that is not above the keepalive)",
        "export: is missing (write one [[export]], with the path /srv/nfs4/data)",
    ]


TOML = "mend the line named; see https://toml.io"
HUGE = "holds a number of thousands of digits or a list in hundreds of lists (write it plainly)"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[cluster\n", f"Expected ']' at the end of a table declaration (at line 1, column 9) ({TOML})"),
        ("a = 1\na = 2\n", f"Cannot overwrite a value (at line 2, column 6) ({TOML})"),
        (f"a = {'9' * 5000}", HUGE),
        (f"a = {'[' * 3000}{']' * 3000}", HUGE),
    ],
)
def test_no_toml(text: str, wrong: str) -> None:
    assert problems(text) == [f"TOML: {wrong}"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    for path, wrong in ((tmp_path / "no", "No such file or directory"), (tmp_path, "Is a directory"),
                        (binary, "is not UTF-8 text")):  # fmt: skip
        with pytest.raises(InputError) as caught:
            load.load_file(path)
        assert caught.value.problems == (Problem(str(path), wrong, "name a site.toml; `nfsha example` prints one"),)


def test_a_default_is_what_an_absent_key_means() -> None:
    optional = [s for s in SETTINGS if s.default is not REQUIRED and s.table not in TABLES]
    explicit = {s.key: load.kinds.typed(s.default) for s in optional}
    assert load.load(site_text(explicit), "x") == load.load(site_text(), "x")
