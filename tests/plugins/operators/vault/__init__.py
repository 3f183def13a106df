"""Tests of plugins/operators/vault."""
