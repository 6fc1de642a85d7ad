#!/bin/sh
# The iSCSI target, the same for all contenders but nfsha, which brings its own.
set -eu
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends tgt
systemctl restart tgt
tgtadm --lld iscsi --op show --mode target | grep -q /dev/
