"""A site: frozen, and valid by construction (load.py alone makes one)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Literal

from nfsha_config.paths import DATA_MOUNT, STATE_MOUNT
from nfsha_config.site.kinds import Portal

_NAMESPACE = uuid.UUID("5d2f9b3e-58c1-5a53-9a3c-0d1c6d9a7e10")


@dataclass(frozen=True)
class Cluster:
    """The name that o2cb, OCFS2 and the NFS server scope share, and the revision of the description."""

    name: str
    revision: int


MAX_NODES = 8
"""Nodes of one OCFS2 volume that nfsha sets up; the kernel takes 255, mkfs.ocfs2(8)."""

PREVAILS = MAX_NODES
"""What a node that keeps another one from the disk adds to its VRRP priority: more than nodes differ by."""


@dataclass(frozen=True)
class Node:
    """A server; number is its place in the site, from 1 on: o2cb number and VRRP preference."""

    name: str
    address: IPv4Address
    number: int

    @property
    def priority(self) -> int:
        """VRRP priority: the first node's is the highest, as o2cb's lowest number survives a split.

        High numbers, since a standby waits for (256 - priority) / 256 of an interval when the master lets go (RFC 5798,
        6.1, Skew_Time); 254 is the highest of all.
        """
        return 255 - PREVAILS - self.number


@dataclass(frozen=True)
class Network:
    """Where clients find the service."""

    virtual_address: IPv4Interface
    interface: str
    router_id: int
    fail_back: Literal["manual", "automatic"]
    witnesses: tuple[IPv4Address, ...]


@dataclass(frozen=True)
class Storage:
    """The shared LUN; sizes in bytes."""

    portal: Portal
    iqn: str
    device: str
    size: int
    state_size: int
    node_user: str
    target_user: str


@dataclass(frozen=True)
class Export:
    """One exported directory."""

    path: str
    clients: tuple[str, ...]
    options: tuple[str, ...]
    fsid: uuid.UUID


@dataclass(frozen=True)
class Client:
    """What a client machine does with the service."""

    mount_point: str


@dataclass(frozen=True)
class Timings:
    """vrrp_interval and nfs_* in seconds, *_threshold and fence_after in heartbeats of 2 s, other o2cb_* in ms."""

    vrrp_interval: float
    o2cb_threshold: int
    fence_after: int
    o2cb_idle: int
    o2cb_keepalive: int
    o2cb_reconnect: int
    nfs_lease: int
    nfs_grace: int


@dataclass(frozen=True)
class Site:
    """One cluster, whole."""

    cluster: Cluster
    nodes: tuple[Node, ...]
    network: Network
    storage: Storage
    exports: tuple[Export, ...]
    client: Client
    timings: Timings

    def node(self, name: str) -> Node | None:
        """The node of that host name."""
        return next((node for node in self.nodes if node.name == name), None)

    @property
    def slots(self) -> int:
        """OCFS2 node slots: one a node, two at the least, so that a second node can be added."""
        return max(2, len(self.nodes))

    @property
    def lun_path(self) -> str:
        """The LUN by its path through the network, the only name that is stable and says where it comes from."""
        return f"/dev/disk/by-path/ip-{self.storage.portal}-iscsi-{self.storage.iqn}-lun-1"

    @property
    def disk_id(self) -> uuid.UUID:
        """GUID of the LUN's partition table: by it a LUN is known as this site's."""
        return self._uuid("disk")

    @property
    def state_uuid(self) -> uuid.UUID:
        """UUID of the OCFS2 volume with the NFS server's client state."""
        return self._uuid("state")

    @property
    def data_uuid(self) -> uuid.UUID:
        """UUID of the OCFS2 volume with the data."""
        return self._uuid("data")

    @property
    def regions(self) -> dict[str, str]:
        """Mount points of the volumes, by o2cb's names for them: those of heartbeat region and lock domain."""
        return {self.state_uuid.hex.upper(): STATE_MOUNT, self.data_uuid.hex.upper(): DATA_MOUNT}

    def _uuid(self, part: str) -> uuid.UUID:
        return uuid.uuid5(_NAMESPACE, f"{self.cluster.name} {self.storage.iqn} {part}")
