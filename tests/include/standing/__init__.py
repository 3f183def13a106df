"""Tests of include/standing/."""
