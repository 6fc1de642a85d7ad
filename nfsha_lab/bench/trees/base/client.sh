#!/bin/sh
# The client's mount is made by the benchmark, the same for all.
set -eu
apt-get update --quiet
apt-get install --yes --quiet --no-install-recommends nfs-common
mkdir -p /data
