#!/bin/sh
# The shared LUN, made on one node: the state of the NFS server, and the data.
set -eu
lun=/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1
printf 'label: dos\nsize=64MiB, type=83\ntype=83\n' | sfdisk --quiet "$lun"
udevadm settle
# Repair: with discontig-bg, the kernel of Debian 12 (6.1.0-56) makes the data read-only on the node that takes over.
mkfs.ocfs2 -q --fs-features=nodiscontig-bg -L NFS -N 2 "$lun-part1" </dev/null
mkfs.ocfs2 -q --fs-features=nodiscontig-bg -b 4k -C 32K -L Data -N 2 "$lun-part2" </dev/null
