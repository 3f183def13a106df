"""Tests of include/agent/restore/."""
