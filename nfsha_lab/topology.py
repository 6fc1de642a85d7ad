"""The four machines of the laboratory and their addresses on the network under test."""

from collections.abc import Mapping
from dataclasses import dataclass

PREFIX_LENGTH = 24
VIRTUAL_ADDRESS = "192.168.50.10"
VIRTUAL_NAME = "nfs"

LUN_SERIAL = "nfsha-lun"
LUN_BYTES = 1 << 30

# The address and port at which a guest finds the host's package repository, see webserver.py.
REPOSITORY_ADDRESS = "10.0.2.100"
MANAGEMENT_ADDRESS = "10.0.2.15"


@dataclass(frozen=True)
class Host:
    """One machine: its name, its IPv4 address on eth1, and whether it has the second disk."""

    name: str
    address: str
    lun: bool = False

    @property
    def mac(self) -> str:
        """Locally made MAC of eth1 in QEMU's own range, ending in the last number of the address."""
        return f"52:54:00:32:00:{int(self.address.rsplit('.', 1)[1]):02x}"


HOSTS: Mapping[str, Host] = {
    host.name: host
    for host in (
        Host("iscsi", "192.168.50.20", lun=True),
        Host("nfs1", "192.168.50.11"),
        Host("nfs2", "192.168.50.12"),
        Host("client", "192.168.50.100"),
    )
}


SPARE = Host("nfs3", "192.168.50.13")
"""A fifth machine, off unless a story starts it."""


def hosts_file() -> str:
    """The text of /etc/hosts, the same on all machines."""
    known = [("127.0.0.1", "localhost"), *((host.address, host.name) for host in HOSTS.values())]
    return "".join(f"{address}\t{name}\n" for address, name in [*known, (VIRTUAL_ADDRESS, VIRTUAL_NAME)])
