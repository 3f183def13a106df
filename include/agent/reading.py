"""Exported disks, read and hashed chunk by chunk: many chunks at a time, in threads; holes are never read."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from .nbd import Export

AHEAD_BYTES = 16 << 20  # what is read and hashed while the one before is in use


class Part(NamedTuple):
    """A part of a disk: from chunk ``first`` to before chunk ``end``."""

    export: Export
    chunk_bytes: int
    first: int
    end: int

    def length(self, index: int) -> int:
        """Give what a chunk holds; the disk's last one may be shorter."""
        return min(self.chunk_bytes, self.export.bytes - index * self.chunk_bytes)

    def of_zeros(self) -> dict[int, bytes]:
        """Give the SHA-256 of a chunk of zeros, by each length that chunks of this part have."""
        lengths = {self.length(index) for index in (self.first, self.end - 1)} if self.end else set()
        return {length: sha256(bytes(length)) for length in lengths}

    def planned(self) -> Iterator[tuple[int, bool]]:
        """Give each chunk's number, and whether it holds data, as the export says it."""
        index, size = self.first, self.chunk_bytes
        for extent in self.export.extents(index * size, min(self.end * size, self.export.bytes)):
            if not extent.zeros:
                start, stop = extent.start // size, -(-extent.end // size)
                yield from ((hole, False) for hole in range(index, start))
                yield from ((data, True) for data in range(max(index, start), stop))
                index = max(index, stop)
        yield from ((hole, False) for hole in range(index, self.end))


def blocks(part: Part) -> Iterator[tuple[int, tuple[memoryview, bytes] | None]]:
    """Give each chunk's number, and its bytes and SHA-256 (None for a hole), in order.

    Many are read and hashed ahead; what was given may be used until the next one is asked for.
    """
    spare = [bytearray(part.chunk_bytes) for _ in range(max(2, AHEAD_BYTES // part.chunk_bytes))]
    most = len(spare)
    ahead: deque[tuple[int, _Reading | None]] = deque()
    with ThreadPoolExecutor(max(2, min(4, os.cpu_count() or 1))) as threads:
        for index, holds_data in part.planned():
            if len(ahead) == most:
                yield from _next(ahead, spare)
            ahead.append((index, _Reading(part, index, spare.pop(), threads) if holds_data else None))
        while ahead:
            yield from _next(ahead, spare)


def sha256(view: bytes | memoryview) -> bytes:
    """Hash some bytes."""
    return hashlib.sha256(view).digest()


class _Reading:
    """A chunk that is being read, and then hashed."""

    def __init__(self, part: Part, index: int, buffer: bytearray, threads: ThreadPoolExecutor) -> None:
        self.buffer = buffer
        self.view = memoryview(buffer)[: part.length(index)]
        read = part.export.read(index * part.chunk_bytes, self.view)
        self._digest: Future[bytes] = threads.submit(self._hash, read)

    def digest(self) -> bytes:
        """Wait for it, and give its SHA-256."""
        return self._digest.result()

    def _hash(self, read: Future[Any]) -> bytes:
        read.result()
        return sha256(self.view)


def _next(
    ahead: deque[tuple[int, _Reading | None]], spare: list[bytearray]
) -> Iterator[tuple[int, tuple[memoryview, bytes] | None]]:
    index, reading = ahead.popleft()
    if reading is None:
        yield index, None
        return
    yield index, (reading.view, reading.digest())
    spare.append(reading.buffer)  # not before: until now its bytes were in use
