#!/bin/sh
# One server as Debian has it: ext4 on the LUN, by fstab; the address that clients know, by a unit of one line.
set -eu
lun=/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1
mkfs.ext4 -q -F "$lun"
echo "$lun /srv/nfs4/data ext4 _netdev 0 0" >>/etc/fstab
systemctl daemon-reload
mount /srv/nfs4/data
systemctl enable --now service-address
systemctl enable --now nfs-server
