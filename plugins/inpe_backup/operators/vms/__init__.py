"""VMs: list, begin backup, transfer, verify, publish, end backup, retention, boot tests."""
