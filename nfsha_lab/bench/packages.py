"""What the contenders need of Debian beyond what nfsha does: in an image of the benchmark's own."""

# external/sbd comes with sbd, crm with crmsh; portblock calls iptables, Filesystem fuser of psmisc; net-tools and
# libxml2-utils are recommended by resource-agents.
PACKAGES: tuple[str, ...] = (
    "corosync",
    "crmsh",
    "iptables",
    "libxml2-utils",
    "net-tools",
    "pacemaker",
    "pacemaker-cli-utils",
    "psmisc",
    "resource-agents",
    "sbd",
)
