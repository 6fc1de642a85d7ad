#!/bin/sh
# A two-node cluster of stock agents, its fence sbd on the LUN and softdog; the resources are in /root/cluster.crm.
set -eu
# Nothing is to start before the disk has been made.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get install --yes --quiet --no-install-recommends \
    -o Dpkg::Options::=--force-confold corosync crmsh fdisk iptables libxml2-utils net-tools pacemaker \
    pacemaker-cli-utils psmisc resource-agents sbd
rm /usr/sbin/policy-rc.d
# Repair: iptables 1.8.9 names the protocol by its number, portblock does not know its own rule by that, and the port
# stays blocked for ever (ClusterLabs/resource-agents, pull request 1924; bugzilla.netfilter.org 1729).
portblock=/usr/lib/ocf/resource.d/heartbeat/portblock
sed -i 's/\^DROP${w}${1}${w}/^DROP${w}[t6][cp]*${w}/' "$portblock"
grep -qF '[t6][cp]*' "$portblock"
mkdir -p /srv/state
modprobe softdog
systemctl enable sbd corosync pacemaker
