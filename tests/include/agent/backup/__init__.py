"""Tests of include/agent/backup/."""
