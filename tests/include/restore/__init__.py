"""Backups brought back: machines to a real libvirt, and what is refused."""
