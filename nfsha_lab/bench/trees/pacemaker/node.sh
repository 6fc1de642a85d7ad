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
mkdir -p /srv/state
modprobe softdog
systemctl enable sbd corosync pacemaker
