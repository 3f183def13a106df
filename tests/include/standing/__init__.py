"""How the backups stand, judged from what was published."""
