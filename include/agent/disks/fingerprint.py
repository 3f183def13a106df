"""A disk's fingerprint: it differs once anything has written to the disk, or QEMU was started with it.

A file's inode keeps that: its size, mtime and ctime (libvirt sets owner and labels at each start). A block
device's counters of writes, which the kernel keeps, do the same (Documentation/block/stat.rst).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_WRITES = slice(4, 7)  # I/Os, merged ones and sectors written; then discards, in kernels that count them
_DISCARDS = slice(11, 14)
_IN_FLIGHT_WRITES = 1


def fingerprint(chain: list[str]) -> list[list[int]]:
    """Return the fingerprint of a disk, as plain JSON.

    Args:
        chain: the path of the disk, then those of its backing files. What isn't a path has no fingerprint.
    """
    own, *backing = chain
    return [_of(own), *(_of(path, backing=True) for path in backing)]


def is_counted(path: str) -> bool:
    """Return whether a write to a path is seen: it isn't if a device's iostats are off."""
    try:
        found = os.stat(path)  # noqa: PTH116 - the text may be no path at all
    except OSError:
        return True  # what isn't there has nothing to count
    return not stat.S_ISBLK(found.st_mode) or 0 not in _iostats(found.st_rdev)


def _of(path: str, *, backing: bool = False) -> list[int]:
    if not path.startswith("/"):
        return []
    try:
        opened = os.open(path, os.O_RDONLY)  # on NFS, this asks the server
    except OSError as error:
        return [error.errno or 0]
    try:
        found = os.fstat(opened)
    finally:
        os.close(opened)
    if stat.S_ISBLK(found.st_mode):
        return [found.st_rdev, *_counters(found.st_rdev)]
    written = [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]
    # Another VM's start with the same backing file changes its ctime, but no content.
    return written if backing else [*written, found.st_ctime_ns]


def _counters(device: int) -> list[int]:
    folder = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    counters, in_flight, size = (_numbers(folder / name) for name in ("stat", "inflight", "size"))
    counted = [*counters[_WRITES], *counters[_DISCARDS], *in_flight[_IN_FLIGHT_WRITES:]]
    return [*size, *counted, *_iostats(device)]


def _iostats(device: int) -> list[int]:
    """Return whether a device's writes are counted, 1 or 0; a partition's queue is that of its device."""
    folder = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    return [*_numbers(folder / "queue/iostats"), *_numbers(folder / "../queue/iostats")]


def _numbers(file: Path) -> list[int]:
    try:
        return [int(word) for word in file.read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []
