"""Tests of plugins/operators/days/."""
