"""Disks on the host.

image_info    a disk's size, its options and snapshots, and every file that it lies in
qcow2_options what a QCOW2 image was made with, to make another like it
clones        clones disks, where the host's file system can
file_systems  which file system a file lies on
extent_map    where its data lie there, and what lies at the same place in two files
exports       exports a VM's disks over NBD: from the running QEMU, or by qemu-nbd
fingerprint   whether anything wrote to a disk since
nbd_client    reads an exported disk, and lists its holes
nbd_writer    writes to one
chunk_reader  reads and hashes one in chunks
disk_program  runs a program that writes a disk, and ends it before the file system is full
new_disk      makes a disk that is to be restored
overlay       commits a QCOW2 overlay to the disk it was restored on
"""
