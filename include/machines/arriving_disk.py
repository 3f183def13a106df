"""One disk on its way into staging: each chunk checked, written sparse, and noted once it's there.

The notes, 32 bytes a chunk, are the place to go on at. What is noted may still be lost with the worker's
power, or come from a base that has decayed: reading back finds that, and has it sent again.
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

from include.errors import BackupError, SourceUnreachableError, VaultError
from include.facts import Facts
from include.machines.chunks import CHUNK_BYTES, DIGEST_BYTES, UNKNOWN, Chunks
from include.machines.generation import PublishedGeneration, StagedGeneration
from include.machines.image import UNREADABLE
from include.machines.progress import Progress
from include.machines.served import AHEAD, Frame, Served
from include.wording import size

THREADS = 2  # that check and write; the wire keeps a third core busy


class PulledDisk(Facts):
    """What came of one disk.

    Args:
        name: the disk's.
        bytes: what the guest sees.
        sent_bytes: what came over the wire, in the try that ended it.
        same_bytes: what was taken from the generation before.
        zero_bytes: what is nothing but zeros.
    """

    name: str
    bytes: NonNegativeInt
    sent_bytes: NonNegativeInt
    same_bytes: NonNegativeInt
    zero_bytes: NonNegativeInt


class ArrivingDisk:
    """One disk, and how far it has come.

    Args:
        name: the disk's.
        disk_bytes: what the guest sees.
        into: where to.
        base: the generation whose chunks needn't be sent.
    """

    def __init__(
        self, name: str, disk_bytes: int, into: StagedGeneration, base: PublishedGeneration | None
    ) -> None:
        self._name = name
        self._into = into
        self._chunks = Chunks.unknown(disk_bytes)
        self._old, self._old_image = _known(base, name)
        noted = _noted(into.have(name), self._chunks.count)
        self._done = len(noted) // DIGEST_BYTES
        self._chunks.digests[: len(noted)] = noted
        self._bytes = {b"D": 0, b"S": 0, b"Z": 0}
        self._zeros = {length: hashlib.sha256(bytes(length)).digest() for length in self._chunks.lengths}

    def receive(self, served: Served, say: Callable[[str], None]) -> PulledDisk:
        """Receive what isn't there yet, and write down the hashes of all of it; see ``pull.pull``."""
        whole, done = self._chunks.bytes, self._done * CHUNK_BYTES
        progress = Progress(f"{self._into.machine} {self._name}", whole, say, done)
        with opened(self._into.image(self._name), os.O_WRONLY | os.O_CREAT) as image:
            # What a try before wrote beyond is zeros again. If emptied for nothing, closing it waits on ext4.
            if os.fstat(image).st_size:
                os.ftruncate(image, min(done, whole))
            _lengthen(image, whole)
            if self._done < self._chunks.count:
                self._take(served, image, progress)
        self._chunks.write(self._into.chunks(self._name))
        sent, same, zeros = (self._bytes[kind] for kind in (b"D", b"S", b"Z"))
        return PulledDisk(name=self._name, bytes=whole, sent_bytes=sent, same_bytes=same, zero_bytes=zeros)

    def _take(self, served: Served, image: int, progress: Progress) -> None:
        have = memoryview(self._old.digests)[self._done * DIGEST_BYTES : self._chunks.count * DIGEST_BYTES]
        served.ask(self._name, self._done, self._chunks.count - self._done, have)
        ahead = deque[tuple[Frame, Future[bytes]]]()
        with (
            opened(self._into.have(self._name), os.O_WRONLY | os.O_CREAT) as notes,
            opened(self._old_image, os.O_RDONLY) as old_image,
            ThreadPoolExecutor(THREADS) as threads,
        ):
            os.ftruncate(notes, self._done * DIGEST_BYTES)
            try:
                for frame in self._in_order(served):
                    ahead.append((frame, threads.submit(self._written, image, old_image, frame)))
                    self._note(ahead, AHEAD, notes, progress)
            except EOFError:
                self._note(ahead, 0, notes, progress)  # however often it breaks, it gets on
                raise
            self._note(ahead, 0, notes, progress)

    def _in_order(self, served: Served) -> Iterator[Frame]:
        due = self._done
        for frame in served.frames():
            if frame.first != due or due + frame.chunks > self._chunks.count:
                raise BackupError(
                    f"The host sent chunk {frame.first:,} of {self._name} when {due:,} was due."
                )
            due += frame.chunks
            yield frame
        if due < self._chunks.count:
            raise BackupError(f"The host ended {self._name} at chunk {due:,} of {self._chunks.count:,}.")

    def _note(
        self, ahead: deque[tuple[Frame, Future[bytes]]], leave: int, notes: int, progress: Progress
    ) -> None:
        """Note the chunks that are written, in order; waits until no more than ``leave`` frames are left."""
        while ahead and (len(ahead) > leave or ahead[0][1].done()):
            frame, written = ahead.popleft()
            digests, first = written.result(), frame.first * DIGEST_BYTES
            write(notes, memoryview(digests), first)
            self._chunks.digests[first : first + len(digests)] = digests
            self._bytes[frame.kind] += self._size(frame)
            progress.tell(min((frame.first + frame.chunks) * CHUNK_BYTES, self._chunks.bytes))

    def _written(self, image: int, old_image: int, frame: Frame) -> bytes:
        """Check and write what a frame says; gives the SHA-256 of each of its chunks."""
        if frame.kind == b"Z":  # the image has nothing there yet
            return b"".join(
                self._zeros[self._chunks.length(frame.first + more)] for more in range(frame.chunks)
            )
        if frame.kind == b"S":
            return self._taken_over(image, old_image, frame)
        if len(frame.data) != self._size(frame) or hashlib.sha256(frame.data).digest() != frame.digest:
            raise SourceUnreachableError(
                f"Chunk {frame.first:,} of {self._name} arrived other than the host hashed it. "
                "What came before is kept."
            )
        write(image, frame.data, frame.first * CHUNK_BYTES)
        return frame.digest

    def _taken_over(self, image: int, old_image: int, frame: Frame) -> bytes:
        first, end = frame.first * DIGEST_BYTES, (frame.first + frame.chunks) * DIGEST_BYTES
        if end > len(self._old.digests):
            raise BackupError(f"The host takes chunk {frame.first:,} of {self._name} for one that we have.")
        _copy(old_image, image, frame.first * CHUNK_BYTES, self._size(frame))
        return bytes(self._old.digests[first:end])

    def _size(self, frame: Frame) -> int:
        start = frame.first * CHUNK_BYTES
        return min(start + frame.chunks * CHUNK_BYTES, self._chunks.bytes) - start


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Open a file of the vault's, and never what a link leads to."""
    file = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def write(file: int, data: memoryview, at: int) -> None:
    """Write all of it at a place."""
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written


def _known(base: PublishedGeneration | None, disk: str) -> tuple[Chunks, Path]:
    """Give the chunks and the image that an older generation has of a disk; none where it can't be used."""
    nothing = Chunks.unknown(0), Path(os.devnull)  # all of it is sent, then
    if not base:
        return nothing
    try:
        found, image = Chunks.read(base.chunks(disk)), base.image(disk).lstat()
    except (VaultError, OSError):
        return nothing
    whole = stat.S_ISREG(image.st_mode) and image.st_size == found.bytes
    return (found, base.image(disk)) if whole and found.chunk_bytes == CHUNK_BYTES else nothing


def _noted(notes: Path, most: int) -> bytes:
    """Give the hashes that a try before noted; where a loss of power left zeros, they end."""
    noted = notes.read_bytes()[: most * DIGEST_BYTES] if notes.exists() else b""
    starts = range(0, len(noted) - DIGEST_BYTES + 1, DIGEST_BYTES)
    lost = (start for start in starts if noted[start : start + DIGEST_BYTES] == UNKNOWN)
    return noted[: next(lost, len(starts) * DIGEST_BYTES)]


def _lengthen(image: int, length: int) -> None:
    try:
        os.ftruncate(image, length)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise VaultError(f"The vault's file system takes no file of {size(length)}.") from error


def _copy(old_image: int, image: int, at: int, left: int) -> None:
    """Take over a part of an older image; what can't be read there is left out, and found by proving."""
    try:
        while left and (copied := os.copy_file_range(old_image, image, left, at, at)):
            at, left = at + copied, left - copied
    except OSError as decayed:
        if decayed.errno not in UNREADABLE:
            raise
