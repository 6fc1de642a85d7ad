#!/bin/sh
# The proof of concept of 2018; what is repaired says so.
set -eu
# Nothing is to start before the volumes are mounted.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get install --yes --quiet --no-install-recommends -o Dpkg::Options::=--force-confold fdisk keepalived ocfs2-tools
rm /usr/sbin/policy-rc.d
sed -i -e 's/^O2CB_ENABLED=.*/O2CB_ENABLED=true/' -e 's/^O2CB_BOOTCLUSTER=.*/O2CB_BOOTCLUSTER=ocfs2/' /etc/default/o2cb
echo "DAEMON_ARGS=\"-i $(hostname)\"" >/etc/default/keepalived
# Repair: mounts are ordered after o2cb, not only after open-iscsi.
cat >>/etc/fstab <<'FSTAB'
LABEL=NFS /var/lib/nfs ocfs2 _netdev,x-systemd.requires=o2cb.service 0 0
LABEL=Data /srv/nfs4/data ocfs2 _netdev,x-systemd.requires=o2cb.service 0 0
FSTAB
systemctl daemon-reload
systemctl restart o2cb
