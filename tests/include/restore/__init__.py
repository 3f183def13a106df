"""Tests of the restores, with a real vault, real folders and hosts, real sshd and libvirt."""
