"""The one table of settings: it drives the file, its defaults, the command line, debconf and the reference pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nfsha_config.site import kinds
from nfsha_config.site.kinds import Kind

Priority = Literal["low", "medium", "high", "critical"]
Cost = Literal["reload", "switchover", "outage", "new disk"]
COSTS: tuple[Cost, ...] = ("reload", "switchover", "outage", "new disk")
"""What a change of a setting costs a cluster that runs, the cheapest first; MEANING says it in words."""

MEANING: dict[Cost, str] = {
    "reload": "it is taken up at once, and interrupts nothing but the use of what is taken away",
    "switchover": "a node takes it up when it begins to serve: configure all nodes, then run `nfsha switchover`",
    "outage": "no node may run without it while another one has it: stop all, configure all, start all",
    "new disk": "the volumes are known by it: refused while the disk holds those that were made with the old value",
}
REQUIRED = None
TABLES = ("node", "export")
"""The keys that hold a list of tables: [[node]], [[export]]."""


@dataclass(frozen=True)
class Setting:
    """One key of site.toml.

    key is "table.name"; default is what TOML would hold, REQUIRED where there is no sensible one; asked is the
    debconf priority at which nfsha-node asks for it (debconf-devel(7)), None where only the file sets it; help is
    one sentence; why gives the reason of the default or the source of a limit; prompt is what debconf asks with;
    cost is what a change costs a cluster that runs; shared says that all nodes must have the same value; of_target says
    that only the target looks at it.
    Prompt, help and why of a setting that is asked for are translated (packages/common/debian/po): after a change
    there, `scripts/update-po`. They keep to the Developer's Reference, 6.5.
    """

    key: str
    kind: Kind
    default: object
    asked: Priority | None
    help: str
    why: str = ""
    prompt: str = ""
    cost: Cost = field(kw_only=True)
    shared: bool = field(default=True, kw_only=True)
    of_target: bool = field(default=False, kw_only=True)

    @property
    def table(self) -> str:
        """The table it stands in."""
        return self.key.partition(".")[0]

    @property
    def name(self) -> str:
        """Its name inside of the table."""
        return self.key.partition(".")[2]

    @property
    def question(self) -> str:
        """Its name in debconf, without the package."""
        return self.key.replace(".", "-").replace("_", "-")


SETTINGS = (
    Setting(
        "cluster.name", kinds.CLUSTER, REQUIRED, None,
        "Name of the cluster; o2cb and OCFS2 are told it, and clients see it as the NFSv4.1 server scope.",
        "At most 16 letters and digits (o2cb.sysconfig(5)). The volumes are known by it and by storage.iqn.",
        cost="new disk",
    ),
    Setting(
        "cluster.revision", kinds.integer(1, 999999, "it becomes part of a package version"), 1, None,
        "Revision of this file; raise it with each change: it becomes the version of the site's packages.",
        cost="reload", shared=False,
    ),
    Setting(
        "node.name", kinds.NAME, REQUIRED, None,
        "Host name of the node, as `hostname` prints it.",
        "o2cb finds itself in cluster.conf by the host name (o2cb(7)).",
        cost="outage",
    ),
    Setting(
        "node.address", kinds.ADDRESS, REQUIRED, None,
        "Address of the node on the storage network; the nodes talk to each other and to the target with it.",
        cost="outage",
    ),
    Setting(
        "network.virtual_address", kinds.INTERFACE_ADDRESS, REQUIRED, "medium",
        "Clients mount the data from this address, which the serving node holds.",
        prompt="Virtual address with prefix length:", cost="outage",
    ),
    Setting(
        "network.interface", kinds.INTERFACE, "eth1", "medium",
        "The serving node sets the virtual address up on this interface of its own.",
        prompt="Network interface for the virtual address:", cost="switchover", shared=False,
    ),
    Setting(
        "network.router_id", kinds.integer(1, 255, "VRRP carries it in one byte (RFC 5798, 5.2.3)"), 101, "low",
        "No other VRRP router in the same network may have this number.",
        prompt="VRRP virtual router ID:", cost="outage",
    ),
    Setting(
        "network.fail_back", kinds.choice("manual", "automatic"), "manual", "medium",
        "The first node can serve again by itself when it has returned, or wait for a switchover.",
        "Going back is a second interruption, so the default is to wait (keepalived.conf(5), nopreempt).",
        prompt="Return of the service to the first node:", cost="reload",
    ),
    Setting(
        "network.witnesses", kinds.ADDRESSES, [], "low",
        "A node serves only while one of these addresses, such as the router's, answers its pings; none are needed.",
        "A client is no witness: when it is switched off, that says nothing about the server.",
        prompt="Addresses of witnesses, separated by commas:", cost="reload", shared=False,
    ),
    Setting(
        "storage.portal", kinds.PORTAL, REQUIRED, "medium",
        "The nodes log in at this portal, over the storage network.",
        prompt="Address and port of the iSCSI target:", cost="outage",
    ),
    Setting(
        "storage.iqn", kinds.IQN, REQUIRED, "medium", "The nodes find the shared LUN by this name.",
        "It can't change once the LUN is formatted: the UUIDs of the volumes are made of it and of the cluster's name.",
        prompt="iSCSI qualified name of the target:", cost="new disk",
    ),
    Setting(
        "storage.device", kinds.DEVICE, REQUIRED, None,
        "Block device on the target machine that is given as the LUN, whole.",
        "By a stable name: /dev/sdb may be another disk after the next boot.",
        cost="outage", shared=False, of_target=True,
    ),
    Setting(
        "storage.size", kinds.SIZE, REQUIRED, None,
        "Size of the LUN; a device of another size is refused.",
        cost="outage",
    ),
    Setting(
        "storage.state_size", kinds.SIZE, "64MiB", None,
        "Size of the partition for the NFS server's client state.",
        "mkfs.ocfs2 with two slots and journals of 4 MiB needs 32 MiB.",
        cost="outage",
    ),
    Setting(
        "storage.node_user", kinds.USER, "nfsha-node", None,
        "CHAP user name with which the nodes log in at the target.",
        cost="outage",
    ),
    Setting(
        "storage.target_user", kinds.USER, "nfsha-target", None,
        "CHAP user name with which the target proves itself to the nodes.",
        cost="outage",
    ),
    Setting(
        "export.path", kinds.PATH, REQUIRED, None, "Exported directory: /srv/nfs4/data, with all that lies below it.",
        "One below it can't be exported otherwise: knfsd changes to another export only at a mount point "
        "(fs/nfsd/vfs.c).",
        cost="reload",
    ),
    Setting(
        "export.clients", kinds.WORDS, REQUIRED, None,
        "Who may mount it: host names, addresses or networks, exports(5).",
        cost="reload",
    ),
    Setting(
        "export.options", kinds.WORDS, ["rw", "sync", "no_subtree_check"], None, "Export options, exports(5).",
        "sync, since what is acknowledged must be on the disk.",
        cost="reload",
    ),
    Setting(
        "export.fsid", kinds.UUID, REQUIRED, None,
        "UUID in the file handles, so that they are the same on every node, exports(5).",
        cost="outage",
    ),
    Setting(
        "client.mount_point", kinds.PATH, "/data", "medium",
        "Clients find the data in this directory, which is made when it is missing.",
        prompt="Mount point on clients:", cost="reload", shared=False,
    ),
    Setting(
        "timings.vrrp_interval", kinds.seconds(0.1, 40, "VRRPv3 counts centiseconds in 12 bits (RFC 5798)"), 1.0, "low",
        "A node takes over after three missing advertisements.",
        "A takeover waits for the disk heartbeat anyway, so a shorter interval gains little.",
        prompt="Seconds between VRRP advertisements:", cost="reload",
    ),
    Setting(
        "timings.o2cb_threshold", kinds.integer(7, 1000, "ocfs2-tools refuses less than 7"), 16, "low",
        "A node writes a disk heartbeat each 2 s; a silent one resets itself a beat before it counts as dead.",
        "31 (62 s) is the kernel's default, 7 (14 s) the least; 16 (32 s) outlives an iSCSI reconnect.",
        prompt="Disk heartbeats until a silent node is dead:", cost="outage",
    ),
    Setting(
        "timings.fence_after", kinds.integer(2, 1000, "a single late heartbeat says nothing"), 3, "low",
        "A node that misses so many disk heartbeats (one each 2 s) and answers no ping either is kept from the disk.",
        "At timings.o2cb_threshold or above none is fenced, and a dead node is waited for as long as o2cb does.",
        prompt="Disk heartbeats until a silent node is fenced:", cost="reload",
    ),
    Setting(
        "timings.o2cb_idle", kinds.integer(5000, 600000, "ocfs2-tools refuses less than 5000"), 10000, "low",
        "OCFS2 has a connection between each two nodes, which counts as broken after this silence.",
        "A serving node fences one that it can't reach by then; 30000 is the kernel's default.",
        prompt="Milliseconds until a silent connection is broken:", cost="outage",
    ),
    Setting(
        "timings.o2cb_keepalive", kinds.integer(1000, 600000, "ocfs2-tools refuses less than 1000"), 2000, "low",
        "After this silence a node asks the other one for a sign of life; it is less than timings.o2cb_idle.",
        "The kernel refuses a keepalive that is not below the idle time (nodemanager.c).",
        prompt="Milliseconds of silence until a keepalive is sent:", cost="outage",
    ),
    Setting(
        "timings.o2cb_reconnect", kinds.integer(2000, 600000, "ocfs2-tools refuses less than 2000"), 2000, "low",
        "A node whose connection to another one is broken tries again after this time.",
        "2000 is the kernel's default, and the least that ocfs2-tools takes.",
        prompt="Milliseconds between attempts to connect:", cost="outage",
    ),
    Setting(
        "timings.nfs_lease", kinds.integer(10, 3600, "knfsd takes 10 to 3600 (fs/nfsd/nfsctl.c)"), 15, "low",
        "An idle client notices a takeover after two thirds of the lease.",
        "With a lease of 90 s an idle client held the grace period up for 54 s.",
        prompt="NFSv4 lease in seconds:", cost="switchover",
    ),
    Setting(
        "timings.nfs_grace", kinds.integer(10, 3600, "knfsd takes 10 to 3600 (fs/nfsd/nfsctl.c)"), 90, "low",
        "After a takeover clients have this time to reclaim what they held; it ends early when all have.",
        "With 15 s a client came back after its TCP back-off, too late, and lost its lock.",
        prompt="NFSv4 grace period in seconds:", cost="switchover",
    ),
)  # fmt: skip

BY_KEY = {setting.key: setting for setting in SETTINGS}
