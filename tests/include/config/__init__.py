"""Tests of include/config/."""
