"""What each task does: a file per verb, a thin shell around ``include/``."""
