#!/bin/sh
# A two-node cluster of stock agents, its fence sbd on the LUN and softdog; the resources are in /root/cluster.crm.
set -eu
lun=/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1
# The shared LUN is made by the first node, before the second looks at it.
if [ "$(hostname)" = nfs1 ]; then
    printf 'label: gpt\nsize=8MiB\nsize=64MiB\n-\n' | sfdisk --quiet "$lun"
    udevadm settle
    mkfs.ext4 -q -F "$lun-part2"
    mkfs.ext4 -q -F "$lun-part3"
    mount "$lun-part2" /mnt
    mkdir /mnt/nfs /mnt/tickle
    umount /mnt
else
    partx --update "$lun" || partx --add "$lun"
    udevadm settle
fi
mkdir -p /srv/state
modprobe softdog
apt-get install --yes --quiet --no-install-recommends \
    -o Dpkg::Options::=--force-confold corosync crmsh iptables pacemaker pacemaker-cli-utils resource-agents sbd
systemctl stop pacemaker corosync
if [ "$(hostname)" = nfs1 ]; then
    sbd -d "$lun-part1" create
fi
systemctl enable sbd corosync pacemaker
