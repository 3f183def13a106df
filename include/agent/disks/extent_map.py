"""Where the data of a file lie on its file system (FIEMAP), and what lies at the same place in two files.

A block that two files share can't be changed through either of them: who writes to one gets another block.
So what lies at the same place in both is equal, as long as both exist and nobody writes to either. Whatever
isn't certain counts as changed. Source: the kernel's Documentation/filesystems/fiemap.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from fcntl import ioctl
from itertools import islice, zip_longest
from typing import NamedTuple

from include.agent.bitmap import Bitmap

MOST_MAPPED_EXTENTS = 200_000  # of a file: its map takes 30 MB
LAST, UNWRITTEN, MERGED, SHARED = 0x1, 0x800, 0x1000, 0x2000
_CERTAIN = LAST | UNWRITTEN | MERGED | SHARED  # with any other flag, the address isn't one, or not yet
_FIEMAP, _SYNC = 0xC020660B, 0x1
_HEADER, _EXTENT = struct.Struct("=QQLLLL"), struct.Struct("=QQQ16xL12x")
_AT_ONCE = 2000
_END = (1 << 64) - 1


class UncertainError(Exception):
    """What hasn't changed in a disk can't be known without reading it; the message says why, as a phrase."""


class FileExtent(NamedTuple):
    """A part of a file: from byte ``start`` up to ``end``, at byte ``address`` of the file system."""

    start: int
    end: int
    address: int
    flags: int


class _Piece(NamedTuple):
    """A part of a file, and the extent that it belongs to; None for a hole."""

    end: int
    extent: FileExtent | None


def settled_maps(reference: int, clone: int) -> tuple[list[FileExtent], list[FileExtent]]:
    """Return the extents of two open files, of which the first didn't move meanwhile.

    Raises:
        UncertainError: it moved twice, as while a Btrfs is balanced; or the file system's answer is odd.
        OSError: it gives none.
    """
    for _ in range(2):
        before, other = read_map(reference), read_map(clone)
        if all(one == again for one, again in zip_longest(before, joined(_extents(reference)))):
            return before, other
    raise UncertainError("the file system is moving its data")


def read_map(opened: int) -> list[FileExtent]:
    """Return all extents of an open file, first to last; what belongs together is one.

    Raises:
        UncertainError: they overlap, or end without a last one, or are more than ``MOST_MAPPED_EXTENTS``.
        OSError: the file system doesn't list them.
    """
    found = list(islice(joined(_extents(opened)), MOST_MAPPED_EXTENTS + 1))
    if len(found) > MOST_MAPPED_EXTENTS:
        raise UncertainError(f"it has more than {MOST_MAPPED_EXTENTS:,} extents")
    return found


def joined(extents: Iterable[FileExtent]) -> Iterator[FileExtent]:
    """Yield extents, with those joined of which one continues the other.

    Where they are split depends on who else shares them, which may change at any time.

    Raises:
        UncertainError: they overlap, or aren't in order.
    """
    last = FileExtent(0, 0, 0, 0)
    for listed in extents:
        if not last.end <= listed.start < listed.end:
            raise UncertainError("its list of extents is out of order")
        extent = listed._replace(flags=listed.flags & ~(LAST | MERGED | SHARED))
        if _continues(last, extent):
            last = last._replace(end=extent.end)
            continue
        if last.end:
            yield last
        last = extent
    if last.end:
        yield last


def _continues(last: FileExtent, extent: FileExtent) -> bool:
    follows = last.end == extent.start and last.address + last.end - last.start == extent.address
    return follows and last.end > 0 and last.flags == extent.flags


def equal_ranges(
    reference: list[FileExtent], clone: list[FileExtent], size: int
) -> Iterator[tuple[int, int]]:
    """Yield the ranges of two files that are surely equal, in order, each as long as possible.

    Args:
        reference: the extents of one.
        clone: those of the other, on the same file system.
        size: of both, in bytes.
    """
    start = end = 0
    for at, until, one, other in _together(reference, clone, size):
        if not _is_same(one, other):
            continue
        if at != end:
            if start < end:
                yield start, end
            start = at
        end = until
    if start < end:
        yield start, end


def exclusive_bytes(reference: list[FileExtent], clone: list[FileExtent], size: int) -> int:
    """Return how many bytes of a file don't lie at the same place in another one: what it costs to keep."""
    parts = _together(reference, clone, size)
    return sum(until - at for at, until, one, other in parts if one and not _is_same(one, other))


def whole_chunks(ranges: list[tuple[int, int]], chunk_bytes: int, size: int) -> Bitmap:
    """Return the numbers of a file's chunks that lie within one of some ranges; the last may be short."""
    found = Bitmap(-(-size // chunk_bytes))
    for start, end in ranges:
        stop = end // chunk_bytes if end < size else -(-size // chunk_bytes)
        for index in range(-(-start // chunk_bytes), stop):
            found.add(index)
    return found


def _is_same(one: FileExtent | None, other: FileExtent | None) -> bool:
    if one is None or other is None:
        return one is other
    if (one.flags | other.flags) & ~_CERTAIN or (one.flags ^ other.flags) & UNWRITTEN:
        return False
    return one.address - one.start == other.address - other.start and min(one.address, other.address) > 0


def _together(
    reference: list[FileExtent], clone: list[FileExtent], size: int
) -> Iterator[tuple[int, int, FileExtent | None, FileExtent | None]]:
    """Yield all parts of two files from the first byte on: start, end, and the extent of each."""
    ones, others = _pieces(reference, size), _pieces(clone, size)
    at, one, other = 0, _Piece(0, None), _Piece(0, None)
    while at < size:
        one = next(ones) if one.end == at else one
        other = next(others) if other.end == at else other
        until = min(one.end, other.end)
        yield at, until, one.extent, other.extent
        at = until


def _pieces(extents: list[FileExtent], size: int) -> Iterator[_Piece]:
    """Yield all parts of a file, holes too, up to its size."""
    at = 0
    for extent in extents:
        if extent.start >= size:
            break
        if at < extent.start:
            yield _Piece(extent.start, None)
        at = min(extent.end, size)
        yield _Piece(at, extent)
    if at < size:
        yield _Piece(size, None)


def _extents(opened: int) -> Iterator[FileExtent]:
    """Yield the extents of an open file as the file system lists them.

    Raises:
        UncertainError: they end without a last one.
        OSError: the file system doesn't list them.
    """
    at = 0
    while extents := _part(opened, at):
        yield from extents
        if extents[-1].flags & LAST:
            return
        at = extents[-1].end
    if at:
        raise UncertainError("its list of extents has no end")


def _part(opened: int, start: int) -> list[FileExtent]:
    """Return the next extents of an open file, which is flushed before."""
    answer = bytearray(_HEADER.pack(start, _END - start, _SYNC, 0, _AT_ONCE, 0))
    answer += bytes(_AT_ONCE * _EXTENT.size)
    ioctl(opened, _FIEMAP, answer)
    mapped = _HEADER.unpack_from(answer)[3]
    parts = (_EXTENT.unpack_from(answer, _HEADER.size + index * _EXTENT.size) for index in range(mapped))
    return [FileExtent(first, first + length, address, flags) for first, address, length, flags in parts]
