"""Tests of days that are brought back: a real vault, real folders, and a real sshd before some of them."""
