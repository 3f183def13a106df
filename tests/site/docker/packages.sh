#!/bin/sh
# The Debian packages that the production set-up's test needs, and tests on PostgreSQL, beside those of
# tests/site/packages.sh. None of them starts a service here: tests start their own.
set -eu
missing=""
need() { [ -e "$1" ] || missing="$missing $2"; }
need /usr/sbin/dockerd docker.io
need /usr/bin/docker docker.io
need /usr/sbin/iptables iptables
need /usr/sbin/debootstrap debootstrap
need /usr/bin/sudo sudo                       # the README's commands have it
need /usr/bin/slirp4netns slirp4netns         # the network of a build in a namespace
need /usr/lib/postgresql/*/bin/initdb postgresql
[ -n "$missing" ] || exit 0
echo "Installing packages of the system:$missing ..."
# Debian's own way to keep a package from starting its service while it's installed (invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
# shellcheck disable=SC2086 # one word per package
tests/site/apt_install.sh $missing
