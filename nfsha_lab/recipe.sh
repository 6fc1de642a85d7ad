#!/bin/sh
# The last steps of an image, run by mmdebstrap as (mapped) root: recipe.sh ROOT OUT SIZE ARCHIVE PACKAGE...
set -eu

root=$1 out=$2 size=$3 archive=$4
shift 4

in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

# The guest's own source is of no use before it exists.
lab_source=$root/etc/apt/sources.list.d/lab.sources
mv "$lab_source" "$root/lab.sources"
in_root apt-get update --quiet
in_root apt-get clean
in_root apt-get install --yes --quiet --download-only --no-install-recommends "$@"
mkdir -p "$root$archive"
mv "$root"/var/cache/apt/archives/*.deb "$root$archive/"
in_root sh -ec "cd '$archive' && apt-ftparchive packages . >Packages && apt-ftparchive release . >/Release && mv /Release ."
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/*
mv "$root/lab.sources" "$lab_source"

in_root systemctl --quiet enable lab-personalise.service
# What only costs an emulated machine its time: periodic jobs, terminals nobody sees, modules nobody needs.
in_root systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer man-db.timer getty@tty1.service serial-getty@ttyS0.service systemd-logind.service \
    modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service \
    modprobe@loop.service systemd-binfmt.service systemd-pstore.service
# Each daemon-reload runs all generators; those of systemd's own that find nothing here take an emulated machine 3 s.
mkdir -p "$root"/etc/systemd/system-generators
for name in bless-boot cryptsetup debug getty gpt-auto hibernate-resume integritysetup rc-local run ssh system-update tpm2 \
    veritysetup; do
    ln -s /dev/null "$root/etc/systemd/system-generators/systemd-$name-generator"
done
rm -f "$root"/etc/ssh/ssh_host_* "$root"/etc/hostname "$root"/var/lib/dbus/machine-id
ln -s /etc/machine-id "$root"/var/lib/dbus/machine-id
: >"$root"/etc/machine-id
in_root passwd --quiet --lock root
# The machines boot from a ramdisk of the laboratory's own; making Debian's takes an emulated machine a minute each time.
echo 'update_initramfs=no' >"$root"/etc/initramfs-tools/update-initramfs.conf
# mmdebstrap's own, which keep services from starting in a chroot; it takes them away only after this.
rm -f "$root"/usr/sbin/policy-rc.d
if [ -e "$root"/sbin/start-stop-daemon.REAL ]; then
    mv "$root"/sbin/start-stop-daemon.REAL "$root"/sbin/start-stop-daemon
fi
in_root dpkg-query --show --showformat '${Package} ${Version}\n' >"$out/packages"

in_root sh -ec '/usr/share/lab/initrd "$(basename /lib/modules/*)" /initrd'
mv "$root/initrd" "$out/initrd"
cp "$root"/boot/vmlinuz-* "$out/vmlinuz"
# mmdebstrap's proc, sys and dev lie in the tree; they are left out in a mount namespace of its own. Lazily, since
# in a user namespace what is mounted within sys goes only together with it.
# shellcheck disable=SC2016
unshare --mount sh -ec '
    root=$1 out=$2 size=$3
    mounted() { cut -d " " -f 2 /proc/self/mounts | grep "^$root/"; }
    while mounted >/dev/null; do
        umount --lazy "$(mounted | head -n 1)"
    done
    # lazy_*=0: nothing is left for the guest to initialise at its first mount.
    mke2fs -q -t ext4 -L root -m 0 -E lazy_itable_init=0,lazy_journal_init=0,nodiscard \
        -d "$root" "$out/disk.raw" "$size"
' image "$root" "$out" "$size"
cd "$out" && chmod a+r disk.raw initrd packages vmlinuz
