"""What apt can install inside a machine: a small Debian archive within the image, so that it works offline."""

# Everything nfsha's packages depend on, or may; the image takes these and what they in turn need.
PACKAGES: tuple[str, ...] = (
    "chrony",
    "conntrack",
    "debconf",
    "debconf-utils",
    "dmsetup",
    "e2fsprogs",
    "ethtool",
    "fdisk",
    "gdisk",
    "iproute2",
    "iputils-arping",
    "keepalived",
    "netcat-openbsd",
    "nfs-common",
    "nfs-kernel-server",
    "nftables",
    "ocfs2-tools",
    "open-iscsi",
    "parted",
    "psmisc",
    "python3-click",
    "python3-jinja2",
    "python3-tomlkit",
    "sg3-utils",
    "sqlite3",
    "strace",
    "tgt",
    "ucf",
)

# Where the archive lies in the image; guest/etc/apt/sources.list.d/lab.sources names the same folder.
FOLDER = "/srv/lab-archive"
