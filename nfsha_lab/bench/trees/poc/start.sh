#!/bin/sh
# The volumes, the NFS server, keepalived: one node after the other.
set -eu
lun=/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1
partx --update "$lun" || partx --add "$lun" || true
udevadm trigger --settle --subsystem-match=block
mount /var/lib/nfs
mount /srv/nfs4/data
# Repair: the volume hides what the packages put there. The directory of nfsdcltrack was made by hand in 2018, too.
mkdir -p /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/v4recovery /var/lib/nfs/nfsdcltrack
chown statd:nogroup /var/lib/nfs/sm /var/lib/nfs/sm.bak
install -d -m 0700 /var/lib/nfs/nfsdcld
touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state
systemctl enable --now nfs-server
systemctl enable keepalived
systemctl restart keepalived
