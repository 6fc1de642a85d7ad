#!/bin/sh
# Gives the target's second disk the name that the site has for it.
set -eu

# libvirt's disk has the name by its serial number. VirtualBox has no virtio disk with one, but a virtio controller,
# and the LUN is the only disk on it.
cat >/etc/udev/rules.d/90-nfsha-lun.rules <<'END'
SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", KERNEL=="sd*", SUBSYSTEMS=="virtio", SYMLINK+="disk/by-id/virtio-nfsha-lun"
END
udevadm control --reload
udevadm trigger --settle --subsystem-match=block
test -b /dev/disk/by-id/virtio-nfsha-lun
