#!/bin/sh
# Makes sure of what is measured against: installs it as root. Somebody else gets the command.
set -eu
missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need borg borgbackup
need nbdcopy libnbd-bin
need restic restic
need rsync rsync
need scp openssh-client
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "Missing to measure against. Run this, then try again:" >&2
    echo "    sudo apt-get install --yes$missing" >&2
    exit 1
fi
echo "Installing what is measured against:$missing ..."
# shellcheck disable=SC2086 # one word per package
exec tests/site/apt_install.sh $missing
