"""Tests of include/agent/boot_test/."""
