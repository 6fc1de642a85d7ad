#!/bin/sh
# Makes this machine one of the cluster's, by apt and debconf's answers: install.sh PACKAGE REPOSITORY ANSWERS ADDRESS=NAME...
# REPOSITORY is the folder that `nfsha build` made, ANSWERS the file of `nfsha preseed`, which is deleted; the names go
# into /etc/hosts. It can be repeated: then it only upgrades the package.
set -eu

package=$1 repository=$2 answers=$3
shift 3
trap 'rm -f "$answers"' EXIT
export DEBIAN_FRONTEND=noninteractive

others=$(sed '/# nfsha$/d' /etc/hosts)
{
    printf '%s\n' "$others"
    for host; do
        printf '%s\t%s\t# nfsha\n' "${host%%=*}" "${host#*=}"
    done
} >/etc/hosts

cp "$repository/nfsha.sources" /etc/apt/sources.list.d/
apt-get update --quiet

# Secrets go to debconf only where the package takes them from there again.
if [ ! -e /etc/nfsha/site.toml ]; then
    debconf-set-selections "$answers"
    if [ "$package" = nfsha-node ]; then
        for host; do
            [ "${host#*=}" != "$(hostname)" ] || address=${host%%=*}
        done
        : "${address:?none of the names is $(hostname)}"
        interface=$(ip -oneline -4 address show to "$address" | awk '{ print $2 }')
        echo "$package $package/network-interface string $interface" | debconf-set-selections
    fi
fi
apt-get install --yes --quiet --no-install-recommends "$package"
if [ ! -e /etc/nfsha/site.toml ]; then
    echo "install.sh: $package is not set up, for the reason above" >&2
    exit 1
fi
