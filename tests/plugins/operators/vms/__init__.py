"""Tests of plugins/operators/vms/."""
