"""Operators that build and mail a run's report, check its result, and send it to a monitor."""
