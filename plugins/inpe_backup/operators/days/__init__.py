"""Days: choose, survey, plan, check free space, copy, verify, publish."""
