#!/bin/sh
# Makes sure of the Debian packages that demo and tests need: installs them as root. Somebody else gets the
# command, and goes on with what there is. "packages.sh slow" makes sure of what only slow tests need, too.
set -eu
missing=""
need() { [ -e "$1" ] || missing="$missing $2"; }
need /usr/bin/python3 python3                 # what the stand-in cluster answers with
need /usr/bin/rsync rsync
need /usr/bin/ssh openssh-client
need /usr/sbin/sshd openssh-server
need /usr/bin/setpriv util-linux
need /sbin/ip iproute2                        # tests have a loopback network of their own
need /usr/sbin/libvirtd libvirt-daemon        # the stand-in KVM host, with real guests
need /usr/bin/virsh libvirt-clients
need /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so libvirt-daemon-driver-qemu
need /usr/bin/qemu-system-x86_64 qemu-system-x86
need /usr/bin/qemu-img qemu-utils
need /usr/bin/swtpm swtpm                     # a guest may have a TPM
need /usr/bin/swtpm_setup swtpm-tools
need /usr/sbin/mkfs.ext4 e2fsprogs
need /usr/sbin/mkfs.xfs xfsprogs              # what guests and hosts may have on their disks
need /usr/sbin/mkfs.btrfs btrfs-progs
need /usr/sbin/sfdisk fdisk
need /usr/bin/strace strace                   # records what is written, and when it is synced
need /bin/busybox busybox-static
need /usr/bin/cpio cpio
need /usr/bin/lz4 lz4                         # of the guests' kernel
need /usr/bin/chromium chromium                # the page, as people see it
need /usr/share/fonts/truetype/dejavu fonts-dejavu-core
if [ "${1:-}" = slow ]; then # PostgreSQL and Redis begin to serve where they are installed
    need /usr/bin/redis-server redis-server   # Celery's broker
    need /usr/lib/postgresql/*/bin/postgres postgresql
fi
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "Missing on this machine; what needs it isn't run. To have it:" >&2
    echo "    sudo apt-get install --yes$missing" >&2
    exit 0
fi
echo "Installing packages of the system:$missing ..."
# shellcheck disable=SC2086 # one word per package
exec tests/site/apt_install.sh $missing
