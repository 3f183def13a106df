"""Tests of include/boot_test/."""
