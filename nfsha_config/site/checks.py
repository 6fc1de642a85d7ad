"""What must hold between the values of a site. Each check runs when the values it needs could be read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nfsha_config.paths import DATA_MOUNT, EXPORT_ROOT, STATE_MOUNT
from nfsha_config.problems import Problem
from nfsha_config.site.kinds import OPTION, size_text, typed
from nfsha_config.site.model import MAX_NODES

Values = Mapping[str, Any]
Check = Callable[[Values], Iterator[Problem]]

# `nfsha preseed` and `nfsha render` take them in the place of a node's name.
_OTHER_MACHINES = ("target", "client")
_LEAST_STATE = 32 * 2**20
_LEAST_DATA = 128 * 2**20
_SECTOR = 512
_NEVER_IN = (
    "/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /proc /root /run /sbin /sys /tmp /usr "
    "/var/cache /var/lock /var/log /var/run /var/tmp /var/lib/apt /var/lib/dpkg /var/lib/systemd".split()
)
"""Places of the system (hier(7)) that hide something needed, or are emptied, when a mount lies in them."""

_NEVER_OVER = ("/", "/var", "/var/lib", "/var/spool")
"""Places that hide something needed when a mount lies over them, but may hold a mount point."""
_FLAGS = frozenset(
    "ro rw sync subtree_check no_subtree_check secure insecure root_squash no_root_squash all_squash no_all_squash "
    "wdelay no_wdelay acl no_acl security_label pnfs no_pnfs crossmnt hide nohide auth_nlm no_auth_nlm "
    "secure_locks insecure_locks nocrossmnt nordirplus".split()
)
_ID = r"-[12]|[0-9]{1,10}"
_FLAVOUR = r"(none|sys|krb5|krb5i|krb5p)"
_VALUED = {"anonuid": _ID, "anongid": _ID, "sec": f"{_FLAVOUR}(:{_FLAVOUR})*"}
_OPPOSITE = {
    "ro": "rw", "secure": "insecure", "hide": "nohide", "crossmnt": "nocrossmnt", "secure_locks": "insecure_locks",
}  # fmt: skip
_OWN = {
    "fsid": "set it with the key fsid",
    "async": "take sync; async answers before the data is on the disk, and a crash loses it",
    "refer": "leave it out; clients know the service by the virtual address alone",
    "replicas": "leave it out; clients know the service by the virtual address alone",
    "mp": "leave it out; nfsha starts the server only with the file system mounted",
    "mountpoint": "leave it out; nfsha starts the server only with the file system mounted",
}


def check(values: Values) -> list[Problem]:
    """Every problem between the values that could be read.

    Where a problem has no value it is with the whole one at that place; the caller knows how it was typed.
    """
    problems: list[Problem] = []
    for one in (_nodes, _addresses, _witnesses, _portal, _users, _sizes, _timings, _exports, _client):
        problems.extend(one(values))
    return problems


def _nodes(values: Values) -> Iterator[Problem]:
    rows = values.get("node")
    if rows is None:
        return
    if not 2 <= len(rows) <= MAX_NODES:
        yield Problem("node", f"stands {len(rows)} times", f"write [[node]] for each of 2 to {MAX_NODES} nodes")
    yield from _twice("node", "name", rows)
    for number, row in enumerate(rows, 1):
        if row.get("name") in _OTHER_MACHINES:
            yield Problem(f"node[{number}].name", "is what nfsha calls another machine", "take another name")


def _twice(table: str, key: str, rows: list[dict[str, Any]], hint: str = "give each its own") -> Iterator[Problem]:
    seen: dict[Any, int] = {}
    for number, row in enumerate(rows, 1):
        if key not in row:
            continue
        if row[key] in seen:
            what = f"is the same as {table}[{seen[row[key]]}].{key}"
            yield Problem(f"{table}[{number}].{key}", what, hint)
        seen.setdefault(row[key], number)


def _named_addresses(values: Values) -> Iterator[tuple[str, ipaddress.IPv4Address]]:
    virtual = values.get("network.virtual_address")
    if virtual is not None:
        yield "network.virtual_address", virtual.ip
    for number, row in enumerate(values.get("node", ()), 1):
        if "address" in row:
            yield f"node[{number}].address", row["address"]
    portal = values.get("storage.portal")
    if portal is not None:
        yield "storage.portal", portal.address


def _addresses(values: Values) -> Iterator[Problem]:
    seen: dict[ipaddress.IPv4Address, str] = {}
    virtual = values.get("network.virtual_address")
    for where, address in _named_addresses(values):
        if address in seen:
            yield Problem(where, f"is the same address as {seen[address]}", "give each its own")
        seen.setdefault(address, where)
        if not _unicast(address):
            yield Problem(where, "can't be the address of a machine", "take a unicast address")
        elif virtual is not None and where.startswith("node") and address not in virtual.network:
            hint = "VRRP needs nodes and virtual address in one network; mend the address or the prefix"
            yield Problem(where, f"is outside the network {virtual.network} of the virtual address", hint)
        elif virtual is not None and address in _ends(virtual.network):
            yield Problem(where, f"is an end of the network {virtual.network}", "take an address of a host")


def _unicast(address: ipaddress.IPv4Address) -> bool:
    """Whether a machine can have it: 0/8, 127/8 and 224/3 are for other uses (RFC 6890)."""
    first = address.packed[0]
    return 0 < first < 224 and first != 127


def _ends(network: ipaddress.IPv4Network) -> tuple[ipaddress.IPv4Address, ...]:
    """The addresses that no host has; a network of two has none (RFC 3021)."""
    return () if network.prefixlen >= 31 else (network.network_address, network.broadcast_address)


def _witnesses(values: Values) -> Iterator[Problem]:
    where = "network.witnesses"
    own = {address: name for name, address in reversed([*_named_addresses(values)]) if name != "storage.portal"}
    witnesses = values.get(where, ())
    yield from _repeated(where, tuple(str(witness) for witness in witnesses))
    for witness in witnesses:
        if witness in own:
            hint = "name a machine that is neither a node nor the service, such as the router"
            yield Problem(where, f"is the same address as {own[witness]}", hint, f'"{witness}"')
        if not _unicast(witness):
            yield Problem(where, "can't be the address of a machine", "take a unicast address", f'"{witness}"')


def _portal(values: Values) -> Iterator[Problem]:
    portal = values.get("storage.portal")
    if portal is not None and not 1 <= portal.port <= 65535:
        yield Problem("storage.portal", "has a port outside 1 to 65535", "3260 is the usual one")


def _users(values: Values) -> Iterator[Problem]:
    user = values.get("storage.target_user")
    if user is not None and user == values.get("storage.node_user"):
        hint = "tgt knows one secret a name; take two names"
        yield Problem("storage.target_user", "is the same as storage.node_user", hint)


def _sizes(values: Values) -> Iterator[Problem]:
    state, size = values.get("storage.state_size"), values.get("storage.size")
    if state is not None and state < _LEAST_STATE:
        hint = f"take {size_text(_LEAST_STATE)} or more; two OCFS2 journals must fit"
        yield Problem("storage.state_size", "is too small", hint)
    if state is not None and state % 2**20:
        yield Problem("storage.state_size", "is no whole number of MiB", "round it up")
    if size is not None and size % _SECTOR:
        hint = "take what `blockdev --getsize64` prints"
        yield Problem("storage.size", f"is no whole number of sectors of {_SECTOR} bytes", hint)
    if state is not None and size is not None and size - state < _LEAST_DATA:
        hint = f"leave {size_text(_LEAST_DATA)} or more for the data"
        yield Problem("storage.size", "leaves too little beside the state partition", hint)


def _timings(values: Values) -> Iterator[Problem]:
    lease, grace = values.get("timings.nfs_lease"), values.get("timings.nfs_grace")
    if lease is not None and grace is not None and grace < lease:
        hint = f"take at least {lease}; a client may notice the takeover only when its lease ends"
        yield Problem("timings.nfs_grace", f"is shorter than timings.nfs_lease = {lease}", hint)
    idle, keepalive = values.get("timings.o2cb_idle"), values.get("timings.o2cb_keepalive")
    if idle is not None and keepalive is not None and idle <= keepalive:
        hint = f"take more than {keepalive}; the kernel refuses an idle time that is not above the keepalive"
        yield Problem("timings.o2cb_idle", f"is not above timings.o2cb_keepalive = {keepalive}", hint)


def _exports(values: Values) -> Iterator[Problem]:
    rows = values.get("export")
    if rows is None:
        return
    if not rows:
        yield Problem("export", "is missing", f"write one [[export]], with the path {DATA_MOUNT}")
    yield from _twice("export", "path", rows, "keep one of the two")
    for number, row in enumerate(rows, 1):
        where = f"export[{number}]"
        yield from _export_path(f"{where}.path", row.get("path", DATA_MOUNT))
        if row.get("clients") == ():
            yield Problem(f"{where}.clients", "is empty", "name a host or a network, exports(5)")
        for client in row.get("clients", ()):
            if not _exports_client(client):
                hint = "name hosts or networks"
                yield Problem(f"{where}.clients", "holds what exports(5) does not know", hint, typed(client))
        yield from _repeated(f"{where}.clients", row.get("clients", ()))
        for option in row.get("options", ()):
            yield from _option(f"{where}.options", option)
        yield from _contrary(f"{where}.options", row.get("options", ()))


def _export_path(where: str, path: str) -> Iterator[Problem]:
    """Below the data file system an export would be none: NFSv4 clients come there by way of it, and knfsd changes to
    another export only where another file system is mounted (fs/nfsd/vfs.c, nfsd_lookup_dentry, nfsd_mountpoint).
    """
    if not _at_or_below(path, DATA_MOUNT):
        hint = f"take {DATA_MOUNT}; nothing else is on the shared disk"
        yield Problem(where, "is not the shared data file system", hint)
    elif path != DATA_MOUNT:
        hint = f"take {DATA_MOUNT}, which exports all below it; keep people apart by owners and modes of directories"
        what = "would have no clients and options of its own, since no file system is mounted there"
        yield Problem(where, what, hint)


def _at_or_below(path: str, place: str) -> bool:
    return f"{path}/".startswith(f"{place}/")


def _exports_client(client: str) -> bool:
    """Whether exportfs takes it: an address, a network, a host name, one with wildcards, or a netgroup (exports(5))."""
    host, slash, _ = client.partition("/")
    try:
        if slash:
            ipaddress.ip_network(client, strict=False)
        elif re.fullmatch(r"[0-9.]+", host) or ":" in host:
            ipaddress.ip_address(host)
        else:
            return re.fullmatch(r"@?[A-Za-z0-9*?_\[]([A-Za-z0-9*?._\[\]-]*[A-Za-z0-9*?_\]])?", client) is not None
    except ValueError:
        return False
    return True


def _repeated(where: str, words: tuple[str, ...]) -> Iterator[Problem]:
    for number, word in enumerate(words):
        if word in words[:number]:
            yield Problem(where, "holds an entry twice", "write each once", typed(word))


def _option(where: str, option: str) -> Iterator[Problem]:
    name, equals, value = option.partition("=")
    if name in _OWN:
        yield Problem(where, "is not for this place", _OWN[name], typed(option))
    elif not re.fullmatch(OPTION, option) or (name not in _FLAGS and name not in _VALUED):
        yield Problem(where, "is an option that exportfs refuses", "see exports(5)", typed(option))
    elif name in _VALUED and not (re.fullmatch(_VALUED[name], value) and (name == "sec" or int(value) < 2**32)):
        yield Problem(where, f"has a value that is none for {name}", "see exports(5)", typed(option))
    elif name in _FLAGS and equals:
        yield Problem(where, f"has a value, and {name} takes none", f"write {name}", typed(option))


def _contrary(where: str, options: tuple[str, ...]) -> Iterator[Problem]:
    yield from _repeated(where, tuple(option.partition("=")[0] for option in options))
    for option in options:
        for other in (f"no_{option}", _OPPOSITE.get(option)):
            if other in options:
                yield Problem(where, f"contradicts {other}", "keep one of the two", typed(option))


def _client(values: Values) -> Iterator[Problem]:
    point = values.get("client.mount_point")
    if point is None:
        return
    hint = "take a directory of its own, such as /data"
    if point in _NEVER_OVER or any(_at_or_below(point, place) for place in _NEVER_IN):
        yield Problem("client.mount_point", "is a place that the system needs", hint)
    if any(_at_or_below(point, place) for place in (EXPORT_ROOT, STATE_MOUNT)):
        yield Problem("client.mount_point", "lies where the servers mount the shared disk", hint)
