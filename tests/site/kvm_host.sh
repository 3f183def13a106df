#!/bin/sh
# The first process of a stand-in KVM host: in namespaces of its own, with libvirt's folders below the one given.
#     unshare --mount --pid --fork --kill-child --mount-proc kvm_host.sh FOLDER
# Everything that it starts ends with it, as with a machine whose plug is pulled.
set -eu
folder=$1
mount --make-rprivate /
mkdir -p "$folder/lib" "$folder/log" "$folder/cache" "$folder/etc"
mkdir -p /var/lib/libvirt /var/log/libvirt /var/cache/libvirt

# An /etc of its own, as a folder: who installs a package or adds an account replaces /etc/passwd, and a file that is
# mounted over another one goes with it. libvirtd looks up the account that QEMU has as a rule, even where it's
# configured to use another, and doesn't start without.
rm -rf "$folder/machine"
cp -a /etc "$folder/machine"
account() {
    grep -q "^$1:" "$folder/machine/passwd" || echo "$1:x:$2:$2::/nonexistent:/usr/sbin/nologin" >>"$folder/machine/passwd"
    grep -q "^$1:" "$folder/machine/group" || echo "$1:x:$2:" >>"$folder/machine/group"
}
account libvirt-qemu 64055
account kvm 64056
account tss 64057
mkdir -p "$folder/machine/libvirt"
mount --bind "$folder/machine" /etc

mount --bind "$folder/etc" /etc/libvirt
mount --bind "$folder/lib" /var/lib/libvirt
mount --bind "$folder/log" /var/log/libvirt
mount --bind "$folder/cache" /var/cache/libvirt
mount -t tmpfs run /run # what a machine forgets when it goes down
mkdir -p /run/libvirt /run/sshd
for image in "$folder/disks.img" "$folder"/disks/*.img; do
    [ -e "$image" ] || continue
    # Until its last kernel has let go of it; another mount of the same file system is refused.
    until mount -o loop "$image" "${image%.img}"; do sleep 0.1; done
done

# As a service manager does: it's started again once it's gone, not while it still holds its lock and sockets.
while :; do
    libvirtd || :
    sleep 0.5
done &
trap : TERM
while :; do
    sleep 3600 &
    wait $! || : # it also collects the children of those that died
done
