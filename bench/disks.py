"""Disks to measure with: raw, sparse, with incompressible data; and the changes of a week."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

from include.agent.disks.extent_map import read_map

CHUNK_BYTES = 1 << 20
_EXTENT_BYTES, _BLOCK_BYTES = 16 << 20, 4096
_LARGE_BYTES, _LARGE_COUNT, _LARGE_AT = 2 << 20, 16, 3_500_000
_SMALL_BYTES, _SMALL_COUNT, _SMALL_AT = 128 << 10, 64, 9_700_000


def fill(disk: Path, size: int, data: int) -> None:
    """Make a disk of a size with evenly distributed data: 16 MiB, then a hole."""
    noise = random.Random(1)  # noqa: S311 - incompressible data
    with disk.open("wb") as file:
        file.truncate(size)
        for start in _extents(size, data):
            file.seek(start)
            file.write(noise.randbytes(_EXTENT_BYTES))


def scatter(disk: Path, extents: int) -> None:
    """Make a disk of that many extents: every other block of 4 KiB has data.

    Raises:
        AssertionError: the file system joined some.
    """
    data = random.Random(3).randbytes(_BLOCK_BYTES)  # noqa: S311 - incompressible data
    with disk.open("wb", buffering=0) as file:
        file.truncate(2 * extents * _BLOCK_BYTES)  # first: beyond the end, XFS would allocate more
        for number in range(extents):
            os.pwrite(file.fileno(), data, 2 * number * _BLOCK_BYTES)
        os.fsync(file.fileno())
        if (found := len(read_map(file.fileno()))) != extents:
            raise AssertionError(f"Nothing was measured: {disk} has {found:,} extents, not {extents:,}.")


def change(disk: Path, data: int) -> int:
    """Change a filled disk as a week does: overwrite 16 extents of 2 MiB, and 64 of 128 KiB.

    Returns:
        the size of the chunks that differ now, in bytes.
    """
    noise = random.Random(2)  # noqa: S311 - incompressible data
    changed = set[int]()
    with disk.open("r+b") as file:
        for start, length in _changes(disk.stat().st_size, data):
            file.seek(start)
            file.write(noise.randbytes(length))
            changed.update(range(start // CHUNK_BYTES, (start + length - 1) // CHUNK_BYTES + 1))
    return len(changed) * CHUNK_BYTES


def _extents(size: int, data: int) -> Iterator[int]:
    count = data // _EXTENT_BYTES
    return (number * (size // count) for number in range(count))


def _changes(size: int, data: int) -> Iterator[tuple[int, int]]:
    extents = list(_extents(size, data))
    for start in extents[:: len(extents) // _LARGE_COUNT][:_LARGE_COUNT]:
        yield start + _LARGE_AT, _LARGE_BYTES
    for start in extents[:: len(extents) // _SMALL_COUNT][:_SMALL_COUNT]:
        yield start + _SMALL_AT, _SMALL_BYTES
