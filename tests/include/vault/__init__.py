"""Tests of include/vault/."""
