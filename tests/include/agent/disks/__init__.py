"""Tests of include/agent/disks/."""
