"""Tests of what runs on the KVM host."""
