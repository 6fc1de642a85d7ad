"""What must hold between the values of a site. Each check runs when the values it needs could be read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nfsha_config.paths import DATA_MOUNT
from nfsha_config.problems import Problem
from nfsha_config.site.kinds import OPTION, size_text

Values = Mapping[str, Any]
Check = Callable[[Values], Iterator[Problem]]

MAX_NODES = 8
"""Nodes of one OCFS2 volume that nfsha sets up; the kernel takes 255, mkfs.ocfs2(8)."""

_LEAST_STATE = 32 * 2**20
_LEAST_DATA = 128 * 2**20
_FLAGS = frozenset(
    "ro rw sync subtree_check no_subtree_check secure insecure root_squash no_root_squash all_squash no_all_squash "
    "wdelay no_wdelay acl no_acl security_label pnfs no_pnfs crossmnt hide nohide auth_nlm no_auth_nlm "
    "secure_locks insecure_locks".split()
)
_VALUED = {"anonuid": r"\d+", "anongid": r"\d+", "sec": r"(sys|krb5|krb5i|krb5p)(:(sys|krb5|krb5i|krb5p))*"}
_OWN = {
    "fsid": "set it with the key fsid",
    "async": "take sync; async answers before the data is on the disk, and a crash loses it",
    "mp": "leave it out; nfsha starts the server only with the file system mounted",
    "mountpoint": "leave it out; nfsha starts the server only with the file system mounted",
}


def check(values: Values) -> list[Problem]:
    """Every problem between the values that could be read."""
    problems: list[Problem] = []
    for one in (_nodes, _addresses, _router, _sizes, _timings, _exports, _client):
        problems.extend(one(values))
    return problems


def _nodes(values: Values) -> Iterator[Problem]:
    rows = values["node"]
    if not 2 <= len(rows) <= MAX_NODES:
        yield Problem("node", f"stands {len(rows)} times", f"write [[node]] for each of 2 to {MAX_NODES} nodes")
    yield from _twice("node", "name", rows)


def _twice(table: str, key: str, rows: list[dict[str, Any]]) -> Iterator[Problem]:
    seen: dict[Any, int] = {}
    for number, row in enumerate(rows, 1):
        if key not in row:
            continue
        if row[key] in seen:
            what = f"is the same as {table}[{seen[row[key]]}].{key}"
            yield Problem(f"{table}[{number}].{key}", what, "give each its own", f'"{row[key]}"')
        seen.setdefault(row[key], number)


def _named_addresses(values: Values) -> Iterator[tuple[str, ipaddress.IPv4Address]]:
    virtual = values.get("network.virtual_address")
    if virtual is not None:
        yield "network.virtual_address", virtual.ip
    for number, row in enumerate(values["node"], 1):
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
            yield Problem(where, f"is the same address as {seen[address]}", "give each its own", f'"{address}"')
        seen.setdefault(address, where)
        if address.is_multicast or address.is_loopback or address.is_unspecified:
            yield Problem(where, "can't be the address of a machine", "take a unicast address", f'"{address}"')
        elif virtual is not None and where.startswith("node") and address not in virtual.network:
            hint = "VRRP needs nodes and virtual address in one network; mend the address or the prefix"
            yield Problem(where, f"is outside the network {virtual.network} of the virtual address", hint, f'"{address}"')
    for witness in values.get("network.witnesses", ()):
        if seen.get(witness, "").startswith(("network", "node")):
            hint = "name a machine that is neither a node nor the service, such as the router"
            yield Problem("network.witnesses", f"is the same address as {seen[witness]}", hint, f'"{witness}"')
    if virtual is not None and virtual.network.prefixlen < 31 and virtual.ip in (
        virtual.network.network_address, virtual.network.broadcast_address,
    ):  # fmt: skip
        hint = "take an address of a host"
        yield Problem("network.virtual_address", f"is an end of the network {virtual.network}", hint, f'"{virtual}"')


def _router(values: Values) -> Iterator[Problem]:
    portal = values.get("storage.portal")
    if portal is not None and not 1 <= portal.port <= 65535:
        yield Problem("storage.portal", "has a port outside 1 to 65535", "3260 is the usual one", f'"{portal}"')


def _sizes(values: Values) -> Iterator[Problem]:
    state, size = values.get("storage.state_size"), values.get("storage.size")
    if state is not None and state < _LEAST_STATE:
        hint = f"take {size_text(_LEAST_STATE)} or more; two OCFS2 journals must fit"
        yield Problem("storage.state_size", "is too small", hint, f'"{size_text(state)}"')
    if state is not None and state % 2**20:
        yield Problem("storage.state_size", "is no whole number of MiB", "round it up", f'"{size_text(state)}"')
    if state is not None and size is not None and size - state < _LEAST_DATA:
        hint = f"leave {size_text(_LEAST_DATA)} or more for the data"
        yield Problem("storage.size", "leaves too little beside the state partition", hint, f'"{size_text(size)}"')


def _timings(values: Values) -> Iterator[Problem]:
    lease, grace = values.get("timings.nfs_lease"), values.get("timings.nfs_grace")
    if lease is not None and grace is not None and grace < lease:
        hint = f"take at least {lease}; a client may notice the takeover only when its lease ends"
        yield Problem("timings.nfs_grace", f"is shorter than timings.nfs_lease = {lease}", hint, str(grace))
    idle, keepalive = values.get("timings.o2cb_idle"), values.get("timings.o2cb_keepalive")
    if idle is not None and keepalive is not None and idle <= keepalive:
        hint = f"take more than {keepalive}; the kernel refuses an idle time that is not above the keepalive"
        yield Problem("timings.o2cb_idle", f"is not above timings.o2cb_keepalive = {keepalive}", hint, str(idle))


def _exports(values: Values) -> Iterator[Problem]:
    rows = values["export"]
    if not rows:
        yield Problem("export", "is missing", "write [[export]] for each exported directory")
    yield from _twice("export", "path", rows)
    yield from _twice("export", "fsid", rows)
    for number, row in enumerate(rows, 1):
        where = f"export[{number}]"
        path = row.get("path")
        if path is not None and path != DATA_MOUNT and not path.startswith(f"{DATA_MOUNT}/"):
            hint = f"take {DATA_MOUNT} or a directory below it; nothing else is on the shared disk"
            yield Problem(f"{where}.path", "is not on the shared data file system", hint, f'"{path}"')
        if row.get("clients") == ():
            yield Problem(f"{where}.clients", "is empty", "name a host or a network, exports(5)", "[]")
        for client in row.get("clients", ()):
            if not re.fullmatch(r"[A-Za-z0-9@*?.:/\[\]_-]+", client):
                yield Problem(f"{where}.clients", "holds what exports(5) does not know", "name hosts or networks", f'"{client}"')
        for option in row.get("options", ()):
            yield from _option(f"{where}.options", option)
        yield from _contrary(f"{where}.options", row.get("options", ()))


def _option(where: str, option: str) -> Iterator[Problem]:
    name, equals, value = option.partition("=")
    if name in _OWN:
        yield Problem(where, "is not for this place", _OWN[name], f'"{option}"')
    elif not re.fullmatch(OPTION, option) or (name not in _FLAGS and name not in _VALUED):
        yield Problem(where, "is an option that exportfs refuses", "see exports(5)", f'"{option}"')
    elif name in _VALUED and not re.fullmatch(_VALUED[name], value):
        yield Problem(where, f"has a value that exportfs refuses for {name}", "see exports(5)", f'"{option}"')
    elif name in _FLAGS and equals:
        yield Problem(where, f"has a value, and {name} takes none", f"write {name}", f'"{option}"')


def _contrary(where: str, options: tuple[str, ...]) -> Iterator[Problem]:
    for option in options:
        for other in (f"no_{option}", {"ro": "rw", "secure": "insecure", "hide": "nohide"}.get(option, "")):
            if other in options:
                yield Problem(where, f"contradicts {other}", "keep one of the two", f'"{option}"')


def _client(values: Values) -> Iterator[Problem]:
    point = values.get("client.mount_point")
    taken = ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var")
    inside = [place for place in ("/boot", "/dev", "/etc", "/proc", "/run", "/sys", "/usr") if f"{point}/".startswith(place + "/")]
    if point in taken or inside:
        hint = "take a directory of its own, such as /data"
        yield Problem("client.mount_point", "is a place that the system needs", hint, f'"{point}"')
