"""The room on the host for what guests overwrite while they are imaged."""

from __future__ import annotations

import os

SCRATCH_PART, SCRATCH_LEAST = 20, 64 << 20  # room for a twentieth of the disks, or 64 MiB if that is more
LOW_BYTES, LOW_PART = 256 << 20, 20  # full is: 256 MiB are left, or a twentieth if that is less


def usable_bytes(folder: str) -> int:
    """Give how much may be written to a folder's file system until it counts as full; 0 when it does.

    Raises:
        OSError: there is no such folder.
    """
    room = os.statvfs(folder)
    low = min(LOW_BYTES, room.f_blocks * room.f_frsize // LOW_PART)
    return max(0, room.f_bavail * room.f_frsize - low)


def needed_bytes(disks_bytes: int) -> int:
    """Give how much has to be usable before disks of a size are imaged while their guest writes."""
    return max(disks_bytes // SCRATCH_PART, SCRATCH_LEAST)
