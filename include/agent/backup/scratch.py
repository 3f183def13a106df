"""The space on the host for scratch files: the blocks that guests overwrite while a backup is open."""

from __future__ import annotations

import os

SCRATCH_PART, SCRATCH_LEAST = 20, 64 << 20  # needed: a twentieth of the disks, and at least 64 MiB
LOW_BYTES, LOW_PART = 256 << 20, 20  # kept free: 256 MiB, or a twentieth of the file system if that is less


def usable_bytes(folder: str) -> int:
    """Return how many bytes may be written to a folder's file system before it counts as full; 0 if it does.

    Raises:
        OSError: the folder doesn't exist.
    """
    stat = os.statvfs(folder)
    kept_free = min(LOW_BYTES, stat.f_blocks * stat.f_frsize // LOW_PART)
    return max(0, stat.f_bavail * stat.f_frsize - kept_free)


def needed_bytes(disks_bytes: int) -> int:
    """Return how many bytes must be usable before a running VM with disks of this size is backed up."""
    return max(disks_bytes // SCRATCH_PART, SCRATCH_LEAST)
