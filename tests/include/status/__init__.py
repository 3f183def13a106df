"""Tests of include/status/."""
