"""Verification of an image: it is read back from the disk and compared with the host's chunk digests.

It is flushed to the disk first and read past the page cache: what is verified is what a restore will read.
Holes are zeros by definition (lseek(2)), so they are hashed without being read.
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

from include.agent.bitmap import Bitmap
from include.agent.disks.file_systems import device_and_type
from include.errors import VaultError
from include.vms.chunks import Chunks
from include.vms.progress import Progress

CACHED = 64  # chunks that a scrub leaves in the page cache at most
AHEAD = 12  # chunks that are read and hashed while one is added to the SHA-256 of the whole image
_FLUSHED_BY_READING = ("xfs", "ext4")  # Btrfs reads what is compressed through the page cache
UNREADABLE = (errno.EIO, errno.EILSEQ, errno.EBADMSG)  # the errors of disks and file systems for decayed data

_Read = tuple[memoryview, bytes]
_Ahead = tuple[int, tuple[mmap.mmap, Future[_Read]] | None]


@dataclass(frozen=True)
class ImageVerification:
    """The result of reading an image back.

    Args:
        bad: the indexes of the chunks with another SHA-256 than the host's, or that can't be read, in order.
        sha256: of the whole image, as ``sha256sum`` prints it; meaningless while chunks are bad.
    """

    bad: Bitmap
    sha256: str


def read_back(
    image: Path, chunks: Chunks, progress: Callable[[str], None] | None = None
) -> ImageVerification:
    """Read a whole image from the disk, and compare each chunk's SHA-256 with the host's.

    Args:
        image: a raw image.
        chunks: the host's digests.
        progress: is called with a line of progress every few seconds.

    Raises:
        VaultError: the image has another size than the VM's disk.
    """
    sha256, bad = hashlib.sha256(), Bitmap(chunks.count)
    report = Progress(f"{image.name} read back", chunks.bytes, progress).report if progress else None
    zeros = memoryview(bytes(chunks.chunk_bytes))
    with _opened_directly(image, chunks, flush=True) as file:
        for index, block, is_good in _compared(file, chunks):
            length = chunks.length(index)
            sha256.update(zeros[:length] if block is None else block)
            if not is_good:
                bad.add(index)
            if report:
                report(index * chunks.chunk_bytes + length)
    return ImageVerification(bad, sha256.hexdigest())


def bad_chunks(image: Path, chunks: Chunks, pace: Callable[[int], None]) -> Bitmap:
    """Return the indexes of the chunks with another SHA-256 than the host's, or that can't be read.

    The same as :func:`read_back` finds, but as fast as the disk and all cores allow: the SHA-256 of the whole
    image, which only one core can compute, is left out; and the page cache is used, in which the kernel reads
    ahead, and dropped before and after, whereas direct I/O would wait for each chunk.

    Args:
        image: a raw image.
        chunks: the host's digests.
        pace: is called with the number of bytes just read; it waits if reading is too fast.

    Raises:
        VaultError: the image has another size than the VM's disk.
    """
    bad = Bitmap(chunks.count)
    with _opened(image, chunks) as file, _dropped(file):
        for index, block, is_good in _compared(file, chunks):
            if not is_good:
                bad.add(index)
            if block is not None:
                pace(chunks.length(index))
            if index % CACHED == 0:
                os.posix_fadvise(file, 0, index * chunks.chunk_bytes, os.POSIX_FADV_DONTNEED)
    return bad


def bad_among(image: Path, chunks: Chunks, some: Bitmap) -> Bitmap:
    """Return which of some chunks have another SHA-256 than the host's, or can't be read.

    Only those are read. On XFS and ext4, direct I/O flushes just what it reads; elsewhere, where it may read
    from the page cache, the whole image is flushed. That takes long where its base was copied into it.

    Args:
        image: a raw image.
        chunks: the host's digests.
        some: the chunks' indexes.

    Raises:
        VaultError: the image has another size than the VM's disk.
    """
    with _opened_directly(image, chunks, flush=False) as file:
        bad = (index for index, _, is_good in _compared(file, chunks, some) if not is_good)
        return Bitmap(chunks.count, bad)


def data_ranges(file: int, chunks: Chunks) -> Iterator[range]:
    """Yield ranges of the chunks of an open image that aren't entirely holes, in order."""
    position = 0
    while position < chunks.bytes:
        try:
            data = os.lseek(file, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        hole = os.lseek(file, data, os.SEEK_HOLE)
        first, end = data // chunks.chunk_bytes, -(-hole // chunks.chunk_bytes)
        yield range(first, end)
        position = end * chunks.chunk_bytes


@contextmanager
def _opened_directly(image: Path, chunks: Chunks, *, flush: bool) -> Iterator[int]:
    """Open an image to be read past the page cache; flush it if asked to, or if reading it won't."""
    with _opened(image, chunks) as file, ExitStack() as opened:
        direct = _direct(image, chunks)
        if direct is not None:
            opened.callback(os.close, direct)
        if flush or direct is None or device_and_type(file)[1] not in _FLUSHED_BY_READING:
            opened.enter_context(_dropped(file))
        yield file if direct is None else direct


@contextmanager
def _opened(image: Path, chunks: Chunks) -> Iterator[int]:
    """Open an image of the size of the VM's disk."""
    file = os.open(image, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        found = os.fstat(file).st_size
        if found != chunks.bytes:
            raise VaultError(
                f"{image} has {found:,} bytes; the VM's disk has {chunks.bytes:,}. Back the VM up again."
            )
        yield file
    finally:
        os.close(file)


@contextmanager
def _dropped(file: int) -> Iterator[None]:
    """Flush an image to the disk, and drop it from the page cache before and after."""
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    yield
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


def _direct(image: Path, chunks: Chunks) -> int | None:
    """Open a file for direct I/O; return None where its file system doesn't support that."""
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


def _compared(
    file: int, chunks: Chunks, some: Bitmap | None = None
) -> Iterator[tuple[int, memoryview | None, bool]]:
    """Yield each chunk's index, its data (None for a hole), and whether its SHA-256 is the host's.

    Of ``some`` chunks, or of all.
    """
    zeros = memoryview(bytes(chunks.chunk_bytes))
    of_zeros = {length: hashlib.sha256(zeros[:length]).digest() for length in chunks.lengths}
    for index, read in _blocks(file, chunks, some):
        block, digest = read or (None, of_zeros[chunks.length(index)])
        yield index, block, digest == chunks.digest(index)


def _blocks(file: int, chunks: Chunks, some: Bitmap | None) -> Iterator[tuple[int, _Read | None]]:
    """Yield each chunk's index, and its data and SHA-256 (None for a hole), in order; threads read ahead."""
    spare = [mmap.mmap(-1, chunks.chunk_bytes) for _ in range(AHEAD)]  # page-aligned, as O_DIRECT requires
    ahead = deque[_Ahead]()
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
        for index, holds_data in _planned(file, chunks):
            if some is not None and index not in some:
                continue
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
    spare.append(buffer)  # only now: the caller has used its data


def _read(file: int, buffer: mmap.mmap, chunks: Chunks, index: int) -> _Read:
    """Read and hash one chunk; an unreadable one is returned empty, which has another SHA-256."""
    try:
        got = os.preadv(file, [buffer], index * chunks.chunk_bytes)
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        got = 0
    block = memoryview(buffer)[: min(got, chunks.length(index))]
    return block, hashlib.sha256(block).digest()


def _planned(file: int, chunks: Chunks) -> Iterator[tuple[int, bool]]:
    """Yield each chunk's index, and whether it contains data."""
    next_index = 0
    for data in data_ranges(file, chunks):
        yield from ((index, False) for index in range(next_index, data.start))
        yield from ((index, True) for index in data)
        next_index = data.stop
    yield from ((index, False) for index in range(next_index, chunks.count))
