#!/bin/sh
# Makes this process's mounts those of another machine, which begins as a copy of this one (copy on write, in memory),
# and becomes a Docker engine there. Whatever is done there, such as adding users, ends with it.
#
#   unshare --mount machine.sh FOLDER       FOLDER: the engine's; it is the same there
set -eu
folder=$1
mount --make-rprivate /
mkdir -p "$folder/machine"
mount -t tmpfs tmpfs "$folder/machine"
cd "$folder/machine"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=upper,workdir=work" root
for part in /proc /sys /dev "$folder"; do
    mkdir -p "root$part"
    mount --rbind "$part" "root$part"
done
mount -t tmpfs tmpfs root/run
mkdir -p root/old
cd root
pivot_root . old
umount -l /old
rmdir /old
mount --make-rshared / # as systemd does: a disk mounted later is seen in containers that ask for it
exec dockerd --config-file "$folder/daemon.json"
