#!/bin/sh
# Installs a kernel with OCFS2 on a node whose running one has none, as Debian's cloud kernel.
set -eu

if modprobe --dry-run --quiet ocfs2; then
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends "linux-image-$(dpkg --print-architecture)"
# GRUB boots the highest version, and of two that differ by their flavour alone takes cloud-amd64 for higher.
apt-get remove --yes --quiet '~i ~n^linux-image-.*cloud'
