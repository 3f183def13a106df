#!/bin/sh
# The first process of a stand-in KVM host: in namespaces of its own, with libvirt's folders below the one given.
#     unshare --mount --pid --fork --kill-child --mount-proc kvm_host.sh FOLDER
# Everything that it starts ends with it, as with a machine whose plug is pulled.
set -eu
folder=$1
mount --make-rprivate /
mkdir -p "$folder/lib" "$folder/log" "$folder/cache" "$folder/etc"
mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt

# libvirtd looks the account up that QEMU has as a rule, even where it's configured to use another.
cp /etc/passwd /etc/group "$folder"
account() {
    grep -q "^$1:" "$folder/passwd" || echo "$1:x:$2:$2::/nonexistent:/usr/sbin/nologin" >>"$folder/passwd"
    grep -q "^$1:" "$folder/group" || echo "$1:x:$2:" >>"$folder/group"
}
account libvirt-qemu 64055
account kvm 64056
account tss 64057
mount --bind "$folder/passwd" /etc/passwd
mount --bind "$folder/group" /etc/group

mount --bind "$folder/etc" /etc/libvirt
mount --bind "$folder/lib" /var/lib/libvirt
mount --bind "$folder/log" /var/log/libvirt
mount --bind "$folder/cache" /var/cache/libvirt
mount -t tmpfs run /run # what a machine forgets when it goes down
mkdir -p /run/libvirt /run/sshd

libvirtd --daemon
trap : TERM
while :; do
    sleep 3600 &
    wait $! || : # it also collects the children of those that died
done
