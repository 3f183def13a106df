"""Tests of include/vms/: VMs, their images and their generations."""
