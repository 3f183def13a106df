"""The vault: scrubbed, and its status refreshed."""
