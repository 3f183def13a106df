"""Tests of include/days/."""
