"""Further NFS clients within the client machine, each with a link, an address and a lease of its own."""

from __future__ import annotations

from nfsha_lab.cluster import WORK, Cluster
from nfsha_lab.lock_client import LockClient
from nfsha_lab.machine import Machine
from nfsha_lab.topology import PREFIX_LENGTH, VIRTUAL_ADDRESS

ADDRESSES = ("192.168.50.101", "192.168.50.102", "192.168.50.103")
"""Addresses of such clients; the exports name a host, `client`, and a host may have several addresses."""

HOSTS = "".join(f"{address}\tclient\n" for address in ADDRESSES)
"""Lines of /etc/hosts by which what is exported to `client` is exported to them."""

MOUNT_EXPORT = f"mount -t nfs4 -o vers=4.2,hard {VIRTUAL_ADDRESS}:/data"
"""The beginning of the command with which every client mounts the export: hard, and by NFSv4.2, as nfsha does it."""

_MOUNT_SECONDS = 200.0


class SecondClient(LockClient):
    """A client in a network namespace of the client machine, by a macvlan on its link.

    To the server it is another one: Linux makes its NFSv4 client id from the host name, which the mount is made
    with, and keeps one state for each network namespace (fs/nfs/nfs4proc.c, nfs4_init_uniform_client_string;
    fs/nfs/client.c, nfs_match_client).
    """

    def __init__(self, machine: Machine, name: str) -> None:
        self.mount = f"/mnt/{name}"
        super().__init__(machine, name, f"{self.mount}/{WORK}")

    @classmethod
    def add(cls, cluster: Cluster, name: str, address: str) -> SecondClient:
        """A new client of this address, with the export mounted; `name` is that of its host, link and folder."""
        for node in cluster.nodes:
            admit(node)
        client = cls(cluster.client, name)
        client.plug(address)
        client.mount_export()
        return client

    def plug(self, address: str) -> None:
        """Make its network: a link with a MAC of its own to the network under test."""
        name = self.name
        self.machine.succeed(
            f"ip netns add {name} && ip link add link eth1 name {name} type macvlan mode bridge && "
            f"ip link set {name} netns {name} && ip -n {name} link set lo up && "
            f"ip -n {name} address add {address}/{PREFIX_LENGTH} dev {name} && ip -n {name} link set {name} up"
        )

    def mount_export(self) -> None:
        """Mount the export as the client machine does, hard and by NFSv4.2."""
        mount = f"{MOUNT_EXPORT} {self.mount}"
        self.machine.succeed(
            f"mkdir -p {self.mount} && "
            f"nsenter --net=/run/netns/{self.name} unshare --uts sh -ec 'hostname {self.name}; exec {mount}'",
            _MOUNT_SECONDS,
        )

    def die(self) -> None:
        """Cut its link for good: it neither says goodbye nor ever comes back, as one whose power failed."""
        self.machine.succeed(f"ip -n {self.name} link set {self.name} down")


def admit(node: Machine) -> None:
    """Let a node export to these clients what it exports to `client`.

    A rpc.mountd that runs looks names up when the list of exports is another file (nfs-utils, auth_reload).
    """
    lines = HOSTS.replace("\n", "\\n").replace("\t", "\\t")
    node.succeed(
        f"grep -q '^{ADDRESSES[0]}' /etc/hosts && exit; printf '{lines}' >>/etc/hosts; "
        "if grep -vqx 0 /proc/fs/nfsd/threads 2>/dev/null; "
        "then cd /run/nfsha/exports 2>/dev/null || cd /var/lib/nfs; cp -p etab new; mv new etab; exportfs -f; fi"
    )
