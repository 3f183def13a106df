"""One disk received into staging: each chunk is checked, written sparse, and noted once it is written.

An interrupted transfer resumes after the notes, 32 bytes a chunk. A noted chunk may still be lost in a power
failure, or copied from a decayed base: verification finds that and has it sent again.
"""

import errno
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pydantic import NonNegativeInt

from include.agent.wire import LONGEST_REQUEST
from include.errors import BackupError, SourceUnreachableError, VaultError
from include.models import Model
from include.text import counted, size
from include.vms.archive import PublishedVm, StagedVm
from include.vms.chunks import CHUNK_BYTES, DIGEST_BYTES, UNKNOWN, Chunks, StoredDigests
from include.vms.image import UNREADABLE
from include.vms.image_stream import AHEAD, Frame, ImageStream
from include.vms.progress import Progress

THREADS = 2  # check and write; SSH keeps a third core busy


class ReceivedDisk(Model):
    """How one disk was received; the last three count the try that completed it.

    Args:
        name: the disk's name.
        bytes: its size as the guest sees it.
        sent_bytes: what the host sent.
        same_bytes: what was copied from the base.
        zero_bytes: what contains only zeros.
    """

    name: str
    bytes: NonNegativeInt
    sent_bytes: NonNegativeInt
    same_bytes: NonNegativeInt
    zero_bytes: NonNegativeInt


class IncomingDisk:
    """One disk while it is received.

    Args:
        name: the disk's name.
        disk_bytes: its size as the guest sees it.
        into: the staging folder.
        base: the generation whose chunks needn't be sent.
    """

    def __init__(self, name: str, disk_bytes: int, into: StagedVm, base: PublishedVm | None) -> None:
        self._name = name
        self._into = into
        notes = StoredDigests(into.received(name), 0, DIGEST_BYTES * -(-disk_bytes // CHUNK_BYTES))
        self._chunks = Chunks(disk_bytes, digests=notes)
        self._old, self._old_image = _base(base, name)
        self._done = _noted(into.received(name), self._chunks.count)
        self._bytes = {b"D": 0, b"S": 0, b"Z": 0}
        self._zeros = {length: hashlib.sha256(bytes(length)).digest() for length in self._chunks.lengths}

    def receive(self, stream: ImageStream, log: Callable[[str], None]) -> ReceivedDisk:
        """Receive the missing chunks, and write all digests; see :func:`include.vms.transfer.transfer`."""
        total, done = self._chunks.bytes, self._done * CHUNK_BYTES
        progress = Progress(f"{self._into.vm} {self._name}", total, log, done)
        with opened(self._into.image(self._name), os.O_WRONLY | os.O_CREAT) as image:
            # Zero what an earlier try wrote beyond its notes. Truncating to 0 makes ext4 flush on close.
            if os.fstat(image).st_size:
                os.ftruncate(image, min(done, total))
            _lengthen(image, total)
            if self._done < self._chunks.count:
                self._receive(stream, image, progress)
        self._chunks.write(self._into.chunks(self._name))
        sent, same, zeros = (self._bytes[kind] for kind in (b"D", b"S", b"Z"))
        return ReceivedDisk(name=self._name, bytes=total, sent_bytes=sent, same_bytes=same, zero_bytes=zeros)

    def _receive(self, stream: ImageStream, image: int, progress: Progress) -> None:
        ahead = deque[tuple[Frame, Future[bytes]]]()
        with (
            opened(self._into.received(self._name), os.O_WRONLY | os.O_CREAT) as notes,
            opened(self._old_image, os.O_RDONLY) as old_image,
            ThreadPoolExecutor(THREADS) as threads,
        ):
            os.ftruncate(notes, self._done * DIGEST_BYTES)
            try:
                for frame in self._in_order(stream):
                    ahead.append((frame, threads.submit(self._written, image, old_image, frame)))
                    self._note(ahead, AHEAD, notes, progress)
            except EOFError:
                self._note(
                    ahead, 0, notes, progress
                )  # each try gets further, however often the connection breaks
                raise
            self._note(ahead, 0, notes, progress)

    def _in_order(self, stream: ImageStream) -> Iterator[Frame]:
        for first in range(self._done, self._chunks.count, LONGEST_REQUEST):
            yield from self._part(stream, first, min(first + LONGEST_REQUEST, self._chunks.count))

    def _part(self, stream: ImageStream, due: int, end: int) -> Iterator[Frame]:
        base = bytes(self._old.digests[due * DIGEST_BYTES : end * DIGEST_BYTES])
        stream.request(self._name, due, end - due, base)
        for frame in stream.frames():
            if frame.first != due or due + frame.chunks > end:
                raise BackupError(
                    f"The host sent {counted(frame.chunks, 'chunk')} of {self._name} from {frame.first:,} "
                    f"on; expected was chunk {due:,} of {self._chunks.count:,}."
                )
            due += frame.chunks
            yield frame
        if due < end:
            raise BackupError(f"The host ended {self._name} after {due:,} of {self._chunks.count:,} chunks.")

    def _note(
        self, ahead: deque[tuple[Frame, Future[bytes]]], leave: int, notes: int, progress: Progress
    ) -> None:
        """Note the written chunks in order; wait until no more than ``leave`` frames are pending."""
        while ahead and (len(ahead) > leave or ahead[0][1].done()):
            frame, written = ahead.popleft()
            digests, first = written.result(), frame.first * DIGEST_BYTES
            write(notes, memoryview(digests), first)
            self._bytes[frame.kind] += self._size(frame)
            progress.report(min((frame.first + frame.chunks) * CHUNK_BYTES, self._chunks.bytes))

    def _written(self, image: int, old_image: int, frame: Frame) -> bytes:
        """Check and write a frame; return the SHA-256 of each of its chunks."""
        if frame.kind == b"Z":  # the image has a hole there
            return b"".join(
                self._zeros[self._chunks.length(frame.first + more)] for more in range(frame.chunks)
            )
        if frame.kind == b"S":
            return self._copied(image, old_image, frame)
        if len(frame.data) != self._size(frame) or hashlib.sha256(frame.data).digest() != frame.digest:
            raise SourceUnreachableError(
                f"Chunk {frame.first:,} of {self._name}: checksum mismatch after the transfer. "
                "What was copied before is kept."
            )
        write(image, frame.data, frame.first * CHUNK_BYTES)
        return frame.digest

    def _copied(self, image: int, old_image: int, frame: Frame) -> bytes:
        first, end = frame.first * DIGEST_BYTES, (frame.first + frame.chunks) * DIGEST_BYTES
        if end > len(self._old.digests):
            raise BackupError(
                f"The host didn't send chunk {frame.first:,} of {self._name}, which isn't in the base."
            )
        _copy(old_image, image, frame.first * CHUNK_BYTES, self._size(frame))
        return bytes(self._old.digests[first:end])

    def _size(self, frame: Frame) -> int:
        start = frame.first * CHUNK_BYTES
        return min(start + frame.chunks * CHUNK_BYTES, self._chunks.bytes) - start


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Open a file of the vault for the time of a block; refuse a symbolic link."""
    file = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def write(file: int, data: memoryview, at: int) -> None:
    """Write all data at an offset."""
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written


def _base(base: PublishedVm | None, disk: str) -> tuple[Chunks, Path]:
    """Return the chunks and the image that the base has of a disk; no chunks where they can't be used."""
    nothing = Chunks.unknown(0), Path(os.devnull)  # then the whole disk is sent
    if not base:
        return nothing
    try:
        found, image = Chunks.read(base.chunks(disk)), base.image(disk).lstat()
        deque(found.blocks(), maxlen=0)  # all can be read, now and not only in the middle of the transfer
    except (VaultError, OSError):
        return nothing
    usable = stat.S_ISREG(image.st_mode) and image.st_size == found.bytes
    return (found, base.image(disk)) if usable and found.chunk_bytes == CHUNK_BYTES else nothing


def _noted(notes: Path, most: int) -> int:
    """Return how many digests an earlier try noted, up to the first that a power failure zeroed."""
    count = min(notes.stat().st_size // DIGEST_BYTES, most) if notes.exists() else 0
    noted = Chunks(count * CHUNK_BYTES, digests=StoredDigests(notes, 0, count * DIGEST_BYTES))
    return next((index for index in range(count) if noted.digest(index) == UNKNOWN), count)


def _lengthen(image: int, length: int) -> None:
    try:
        os.ftruncate(image, length)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise VaultError(f"The vault's file system doesn't allow files of {size(length)}.") from error


def _copy(old_image: int, image: int, at: int, left: int) -> None:
    """Copy a part of the base's image; an unreadable part stays a hole, which verification finds."""
    try:
        while left and (copied := os.copy_file_range(old_image, image, left, at, at)):
            at, left = at + copied, left - copied
    except OSError as decayed:
        if decayed.errno not in UNREADABLE:
            raise
