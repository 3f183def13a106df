"""Tests of include/agent/: the agent on the KVM host."""
