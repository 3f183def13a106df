"""Proving an image: read back from the disk itself, and held against what the source hashed.

What was written is on the disk first, and the page cache is passed by: what is proven is what a restore
will read. Holes read as zeros by definition (lseek(2)), so they are hashed and never read.
"""

import errno
import hashlib
import mmap
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.errors import VaultError
from include.machines.chunks import Chunks
from include.machines.progress import Progress

KEPT = 64  # chunks of an image that is audited that stay in memory at most, and as many that are read ahead
AHEAD = 12  # chunks that are read and hashed while one goes into the image's own SHA-256
UNREADABLE = (errno.EIO, errno.EILSEQ, errno.EBADMSG)  # what disks and file systems say of decayed bytes

_Read = tuple[memoryview, bytes]
_Ahead = tuple[int, tuple[mmap.mmap, Future[_Read]] | None]


@dataclass(frozen=True)
class Proof:
    """What reading an image back gave.

    Args:
        bad: the chunks that aren't what the source hashed, or can't be read, in order.
        sha256: of the whole image, as ``sha256sum`` would say it; means nothing while chunks are bad.
    """

    bad: list[int]
    sha256: str


def read_back(image: Path, chunks: Chunks, progress: Callable[[str], None] | None = None) -> Proof:
    """Read a whole image from the disk, and compare each chunk with what the source hashed.

    Args:
        image: a raw image.
        chunks: what the source hashed.
        progress: told, every few seconds, how far it is.

    Raises:
        VaultError: it has another size than the source's disk.
    """
    whole, bad = hashlib.sha256(), list[int]()
    how_far = Progress(f"{image.name} read back", chunks.bytes, progress) if progress else None
    zeros = memoryview(bytes(chunks.chunk_bytes))
    with _opened(image, chunks) as file:
        for index, block, is_good in _compared(file, chunks):
            length = chunks.length(index)
            whole.update(zeros[:length] if block is None else block)
            if not is_good:
                bad.append(index)
            if how_far:
                how_far.tell(index * chunks.chunk_bytes + length)
    return Proof(bad, whole.hexdigest())


def bad_chunks(image: Path, chunks: Chunks, pace: Callable[[int], None]) -> list[int]:
    """Give the chunks that aren't what the source hashed, or can't be read, in order.

    As :func:`read_back` finds them, but as fast as the disk and all cores can: the image's own SHA-256, which
    one core must make from the first byte to the last, isn't made; and the kernel reads ahead, in pages that
    are dropped before and behind, where passing them by would have the disk wait for each chunk.

    Args:
        image: a raw image.
        chunks: what the source hashed.
        pace: told of the bytes that were read, and waits where that was too fast.

    Raises:
        VaultError: it has another size than the source's disk.
    """
    bad = []
    with _dropped(image, chunks) as file:
        for index, block, is_good in _compared(file, chunks):
            if not is_good:
                bad.append(index)
            if block is not None:
                pace(chunks.length(index))
            if index % KEPT == 0:
                os.posix_fadvise(file, 0, index * chunks.chunk_bytes, os.POSIX_FADV_DONTNEED)
    return bad


def holding_data(file: int, chunks: Chunks) -> Iterator[range]:
    """Give the chunks of an open image that aren't all hole, as ranges in order."""
    position = 0
    while position < chunks.bytes:
        try:
            data = os.lseek(file, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole is left
                return
            raise
        hole = os.lseek(file, data, os.SEEK_HOLE)
        first, end = data // chunks.chunk_bytes, -(-hole // chunks.chunk_bytes)
        yield range(first, end)
        position = end * chunks.chunk_bytes


@contextmanager
def _opened(image: Path, chunks: Chunks) -> Iterator[int]:
    with _dropped(image, chunks) as file, ExitStack() as opened:
        direct = _direct(image, chunks)
        if direct is not None:
            opened.callback(os.close, direct)
        yield file if direct is None else direct


@contextmanager
def _dropped(image: Path, chunks: Chunks) -> Iterator[int]:
    """Open an image of which memory holds nothing any more, nor does it afterwards."""
    file = os.open(image, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        found = os.fstat(file).st_size
        if found != chunks.bytes:
            raise VaultError(
                f"{image} has {found:,} bytes, and the machine's disk has {chunks.bytes:,}. Back it up anew."
            )
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        yield file
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def _direct(image: Path, chunks: Chunks) -> int | None:
    """Open a file past the page cache; None where its file system can't, and dropping must do."""
    direct = -1
    try:
        direct = os.open(image, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECT)
        with mmap.mmap(-1, chunks.chunk_bytes) as block:
            os.preadv(direct, [block], 0)
    except OSError as error:
        if error.errno not in UNREADABLE:
            if direct >= 0:
                os.close(direct)
            return None
    return direct


def _compared(file: int, chunks: Chunks) -> Iterator[tuple[int, memoryview | None, bool]]:
    """Give each chunk's number, its bytes (None for a hole), and whether they are what the source hashed."""
    zeros = memoryview(bytes(chunks.chunk_bytes))
    of_zeros = {length: hashlib.sha256(zeros[:length]).digest() for length in chunks.lengths}
    for index, read in _blocks(file, chunks):
        block, digest = read or (None, of_zeros[chunks.length(index)])
        yield index, block, digest == chunks.digest(index)


def _blocks(file: int, chunks: Chunks) -> Iterator[tuple[int, _Read | None]]:
    """Give each chunk's number, and its bytes and SHA-256 (None for a hole), in order; threads read ahead."""
    spare = [mmap.mmap(-1, chunks.chunk_bytes) for _ in range(AHEAD)]  # page-aligned, as O_DIRECT wants it
    ahead = deque[_Ahead]()
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
        for index, holds_data in _planned(file, chunks):
            if len(ahead) == AHEAD:
                yield from _next(ahead, spare)
            if not holds_data:
                ahead.append((index, None))
                continue
            buffer = spare.pop()
            ahead.append((index, (buffer, threads.submit(_read, file, buffer, chunks, index))))
        while ahead:
            yield from _next(ahead, spare)


def _next(ahead: deque[_Ahead], spare: list[mmap.mmap]) -> Iterator[tuple[int, _Read | None]]:
    index, reading = ahead.popleft()
    if reading is None:
        yield index, None
        return
    buffer, result = reading
    yield index, result.result()
    spare.append(buffer)  # not before: until now its bytes were in use


def _read(file: int, buffer: mmap.mmap, chunks: Chunks, index: int) -> _Read:
    """Read and hash one chunk; of what can't be read, nothing is given, and that has another hash."""
    try:
        got = os.preadv(file, [buffer], index * chunks.chunk_bytes)
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        got = 0
    block = memoryview(buffer)[: min(got, chunks.length(index))]
    return block, hashlib.sha256(block).digest()


def _planned(file: int, chunks: Chunks) -> Iterator[tuple[int, bool]]:
    """Give each chunk's number, and whether it holds data."""
    next_index = 0
    for held in holding_data(file, chunks):
        yield from ((index, False) for index in range(next_index, held.start))
        yield from ((index, True) for index in held)
        next_index = held.stop
    yield from ((index, False) for index in range(next_index, chunks.count))
