#!/bin/sh
# The proof of concept of 2018; what is repaired says so.
set -eu
lun=/dev/disk/by-path/ip-192.168.50.20:3260-iscsi-iqn.2018-08.es.raulpedroche:lun1-lun-1
apt-get install --yes --quiet --no-install-recommends -o Dpkg::Options::=--force-confold ocfs2-tools keepalived
systemctl stop keepalived
sed -i -e 's/^O2CB_ENABLED=.*/O2CB_ENABLED=true/' -e 's/^O2CB_BOOTCLUSTER=.*/O2CB_BOOTCLUSTER=ocfs2/' /etc/default/o2cb
echo "DAEMON_ARGS=\"-i $(hostname)\"" >/etc/default/keepalived
systemctl daemon-reload
systemctl restart o2cb
if [ "$(hostname)" = nfs1 ]; then
    printf 'label: dos\nsize=64MiB, type=83\ntype=83\n' | sfdisk --quiet "$lun"
    udevadm settle
    mkfs.ocfs2 -q -L NFS -N 2 "$lun-part1" </dev/null
    mkfs.ocfs2 -q -b 4k -C 32K -L Data -N 2 "$lun-part2" </dev/null
else
    partx --update "$lun" || partx --add "$lun"
    udevadm settle
fi
# Repair: mounts are ordered after o2cb, not only after open-iscsi.
cat >>/etc/fstab <<'FSTAB'
LABEL=NFS /var/lib/nfs ocfs2 _netdev,x-systemd.requires=o2cb.service 0 0
LABEL=Data /srv/nfs4/data ocfs2 _netdev,x-systemd.requires=o2cb.service 0 0
FSTAB
systemctl daemon-reload
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
