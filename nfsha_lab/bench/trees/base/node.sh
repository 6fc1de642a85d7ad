#!/bin/sh
# What both servers of each contender have: the LUN, by CHAP in both directions, and the NFS server, which is off.
# Debian's defaults for both, but for NFSv3: nobody speaks it here, and Pacemaker's agent is told so.
set -eu
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends open-iscsi nfs-kernel-server
systemctl disable --now nfs-server nfsdcld rpc-statd
iscsiadm --mode discovery --type sendtargets --portal 192.168.50.20
set_key() { iscsiadm --mode node --targetname iqn.2018-08.es.raulpedroche:lun1 --op update --name "$1" --value "$2"; }
set_key node.startup automatic
set_key node.session.auth.authmethod CHAP
set_key node.session.auth.username nfs-iscsi-user
set_key node.session.auth.password secret0
set_key node.session.auth.username_in debian-iscsi-target
set_key node.session.auth.password_in s3cr3to
iscsiadm --mode node --loginall=automatic
mkdir -p /srv/nfs4/data
udevadm settle
