#!/bin/sh
# The LUN's partitions were made on the other node; then corosync and Pacemaker, which take sbd along.
set -eu
lun=/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1
partx --update "$lun" || partx --add "$lun" || true
udevadm settle
test -b "$lun-part3"
systemctl start corosync pacemaker
