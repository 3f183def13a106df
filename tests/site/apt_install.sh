#!/bin/sh
# Installs Debian packages as root, quietly, and waits for another installation to end.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
exec apt-get install --yes --quiet --quiet --no-install-recommends -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 "$@" >/dev/null
