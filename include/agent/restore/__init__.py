"""Restores on the host: check the request, receive disks beside the old ones, swap them into place.

request       the request of the worker
target        whether it can be done
disk_place    one disk's destination, and what the restored disk won't have of the old one
definition    the VM's definition: what is kept, changed, left out, refused
folders       where disks may be written
places        that each has a place of its own, which no other VM uses
host_vms      the VMs of the host, and the files that they use
receive       receives the disks (work_folder: sockets meanwhile; disk_digests: what they are to hold;
              verified: until when that holds)
snapshots     takes what the restored disks don't have off libvirt's lists of snapshots and checkpoints
swap          moves them into place (status: how far it got; file_swap: a file in one step)
"""
