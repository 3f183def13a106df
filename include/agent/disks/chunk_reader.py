"""Read and hash exported disks chunk by chunk: many chunks at a time, in threads, and no holes."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from include.agent.bitmap import Bitmap
from include.agent.disks.nbd_client import Export

AHEAD_BYTES = 16 << 20  # how much is read and hashed ahead


_NONE = Bitmap(0)


class ChunkRange(NamedTuple):
    """The chunks of a disk from chunk ``first`` up to, but without, chunk ``end``.

    Those in ``skipped``, counted from ``first`` on, are left out.
    """

    export: Export
    chunk_bytes: int
    first: int
    end: int
    skipped: Bitmap = _NONE

    def length(self, index: int) -> int:
        """Return a chunk's length in bytes; the disk's last one may be shorter than the others."""
        return min(self.chunk_bytes, self.export.bytes - index * self.chunk_bytes)

    def zero_digests(self) -> dict[int, bytes]:
        """Return the SHA-256 of a chunk of zeros, by each length that these chunks have."""
        lengths = {self.length(index) for index in (self.first, self.end - 1)} if self.end else set()
        return {length: sha256(bytes(length)) for length in lengths}

    def allocation(self) -> Iterator[tuple[int, bool]]:
        """Yield each chunk's number, and whether it holds data, according to the NBD server."""
        return (found for found in self._allocation() if found[0] - self.first not in self.skipped)

    def _allocation(self) -> Iterator[tuple[int, bool]]:
        index, size = self.first, self.chunk_bytes
        for extent in self.export.extents(index * size, min(self.end * size, self.export.bytes)):
            start, stop = (extent.end if extent.zeros else extent.start) // size, -(-extent.end // size)
            yield from ((hole, False) for hole in range(index, start))
            index = max(index, start)
            if not extent.zeros:
                yield from ((data, True) for data in range(index, stop))
                index = max(index, stop)
        yield from ((hole, False) for hole in range(index, self.end))


def ranges(export: Export, chunk_bytes: int, chunks: Bitmap) -> Iterator[ChunkRange]:
    """Yield some chunks of a disk as ranges, each as long as possible."""
    for run in chunks.runs():
        yield ChunkRange(export, chunk_bytes, run.start, run.stop)


def read_chunks(chunks: ChunkRange) -> Iterator[tuple[int, tuple[memoryview, bytes] | None]]:
    """Yield each chunk's number, and its data and SHA-256 (None for a hole), in order.

    Many chunks are read and hashed ahead. A chunk's data is valid until the next chunk is requested.
    """
    spare = [bytearray(chunks.chunk_bytes) for _ in range(max(2, AHEAD_BYTES // chunks.chunk_bytes))]
    most = len(spare)
    ahead: deque[tuple[int, _Reading | None]] = deque()
    with ThreadPoolExecutor(max(2, min(4, os.cpu_count() or 1))) as threads:
        for index, holds_data in chunks.allocation():
            if len(ahead) == most:
                yield from _next(ahead, spare)
            ahead.append((index, _Reading(chunks, index, spare.pop(), threads) if holds_data else None))
        while ahead:
            yield from _next(ahead, spare)


def sha256(data: bytes | memoryview) -> bytes:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).digest()


class _Reading:
    """A chunk that is being read and then hashed."""

    def __init__(
        self, chunks: ChunkRange, index: int, buffer: bytearray, threads: ThreadPoolExecutor
    ) -> None:
        self.buffer = buffer
        self.view = memoryview(buffer)[: chunks.length(index)]
        read = chunks.export.read(index * chunks.chunk_bytes, self.view)
        self._digest: Future[bytes] = threads.submit(self._hash, read)

    def digest(self) -> bytes:
        """Wait for the chunk, and return its SHA-256."""
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
    spare.append(reading.buffer)  # only now: until the next chunk is requested, the caller uses it
