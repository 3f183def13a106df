#!/bin/sh
# Makes a root file system in the role of the image python:3.13-slim-trixie: Debian with its own Python under
# /usr/local, and this machine's certificate authorities and settings of apt and pip. Compose is unpacked beside it.
#
#   base.sh ROOT PLUGINS
set -eu
root=$1 plugins=$2
mirror=$(sed -n 's/^URIs: *\([^ ]*debian\)\/*$/\1/p; s/^deb *\([^ [][^ ]*debian\)\/* .*/\1/p' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}
debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv trixie "$root" "$mirror" >&2
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/pip.conf"
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" update-ca-certificates >&2
chroot "$root" python3 -m venv --copies /usr/local
chroot "$root" sh -c 'apt-get update -qq && cd /root && apt-get download -qq docker-compose' >&2
dpkg -x "$root"/root/docker-compose_*.deb "$root/root/compose"
install -D "$root/root/compose/usr/libexec/docker/cli-plugins/docker-compose" "$plugins/docker-compose"
chroot "$root" apt-get clean
rm -rf "$root"/root/compose "$root"/root/*.deb "$root"/var/lib/apt/lists/*
