"""Tests of include/remote/."""
