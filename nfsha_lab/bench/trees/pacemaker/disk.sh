#!/bin/sh
# The shared LUN, made on one node: sbd's slots, the state of the NFS server, the data.
set -eu
lun=/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1
printf 'label: gpt\nsize=8MiB\nsize=64MiB\n-\n' | sfdisk --quiet "$lun"
udevadm settle
mkfs.ext4 -q -F "$lun-part2"
mkfs.ext4 -q -F "$lun-part3"
mount "$lun-part2" /mnt
mkdir /mnt/nfs /mnt/tickle
umount /mnt
sbd -d "$lun-part1" create
# sbd makes its slots by itself, too, but that takes longer than its watchdog waits on an emulated machine.
sbd -d "$lun-part1" allocate nfs1
sbd -d "$lun-part1" allocate nfs2
