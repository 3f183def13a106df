"""Disks to measure with: raw, sparse, full of what nothing compresses; and what a week changes in them."""

import random
from collections.abc import Iterator
from pathlib import Path

CHUNK_BYTES = 1 << 20
_EXTENT_BYTES = 16 << 20
_CLUSTER_BYTES, _CLUSTERS, _CLUSTER_AT = 2 << 20, 16, 3_500_000
_PLACE_BYTES, _PLACES, _PLACE_AT = 128 << 10, 64, 9_700_000


def fill(disk: Path, size: int, data: int) -> None:
    """Make a disk of a size; the data lie in it evenly, 16 MiB and then a hole."""
    noise = random.Random(1)  # noqa: S311 - data that no link compresses
    with disk.open("wb") as file:
        file.truncate(size)
        for start in _extents(size, data):
            file.seek(start)
            file.write(noise.randbytes(_EXTENT_BYTES))


def change(disk: Path, data: int) -> int:
    """Do to a filled disk what a week does: 16 places of 2 MiB are new, and 64 of 128 KiB.

    Returns:
        how many bytes the chunks have that differ now.
    """
    noise = random.Random(2)  # noqa: S311 - data that no link compresses
    changed = set[int]()
    with disk.open("r+b") as file:
        for start, length in _places(disk.stat().st_size, data):
            file.seek(start)
            file.write(noise.randbytes(length))
            changed.update(range(start // CHUNK_BYTES, (start + length - 1) // CHUNK_BYTES + 1))
    return len(changed) * CHUNK_BYTES


def _extents(size: int, data: int) -> Iterator[int]:
    count = data // _EXTENT_BYTES
    return (number * (size // count) for number in range(count))


def _places(size: int, data: int) -> Iterator[tuple[int, int]]:
    extents = list(_extents(size, data))
    for start in extents[:: len(extents) // _CLUSTERS][:_CLUSTERS]:
        yield start + _CLUSTER_AT, _CLUSTER_BYTES
    for start in extents[:: len(extents) // _PLACES][:_PLACES]:
        yield start + _PLACE_AT, _PLACE_BYTES
