"""What the contenders need of Debian beyond what nfsha does: in an image of the benchmark's own."""

# external/sbd comes with sbd, crm with crmsh; portblock calls iptables.
PACKAGES: tuple[str, ...] = (
    "corosync",
    "crmsh",
    "iptables",
    "pacemaker",
    "pacemaker-cli-utils",
    "resource-agents",
    "sbd",
)
