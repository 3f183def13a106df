"""Operators that build and mail a run's report, and check its result."""
