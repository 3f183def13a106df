"""Tests of plugins/operators/report/."""
