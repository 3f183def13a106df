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
from itertools import groupby
from pathlib import Path

from include.agent.bitmap import Bitmap
from include.agent.wire import LONGEST_REQUEST, LONGEST_SAME_RUN
from include.errors import (
    BackupError,
    SourceUnreachableError,
    UnexpectedAnswerError,
    VaultError,
    VmRereadError,
)
from include.text import counted, size
from include.vms.archive import PublishedVm, StagedVm
from include.vms.carried import CarriedChunks, CarryRules, UnchangedRanges
from include.vms.chunks import CHUNK_BYTES, DIGEST_BYTES, UNKNOWN, Chunks
from include.vms.image import UNREADABLE
from include.vms.image_stream import AHEAD, Frame, ImageHeader, ImageStream
from include.vms.progress import Progress
from include.vms.received_notes import OpenNotes, ReceivedDisk, ReceivedNotes, opened, write

THREADS = 2  # check and write; SSH keeps a third core busy


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
        self._notes = ReceivedNotes(into, name, disk_bytes)
        self._chunks = self._notes.chunks
        self._old, self._old_image = usable_base(base, name)
        self._lost = _unusable(base, name) if base and not self._old.count else ""
        self._done = self._notes.count()
        self._decayed = False
        self._bytes = {b"D": 0, b"S": 0, b"Z": 0, b"C": 0}
        self._carried, self._unchanged = CarriedChunks(Bitmap(0)), UnchangedRanges()
        self._zeros = {length: hashlib.sha256(bytes(length)).digest() for length in self._chunks.lengths}

    def carry(self, header: ImageHeader, rules: CarryRules | None) -> None:
        """Carry over what the host lists as unchanged, as far as the rules allow it."""
        if not rules or not (found := header.unchanged.get(self._name)):
            return
        self._unchanged = found.model_copy(update={"doubt": self._lost or found.doubt})
        if self._name in rules.chunks and (self._old.bytes, self._old.count) == (
            self._chunks.bytes, self._chunks.count
        ):  # fmt: skip
            try:
                self._carried = CarriedChunks.of(self._old, found, rules)
            except UnexpectedAnswerError as wrong:
                self._unchanged = UnchangedRanges(doubt=str(wrong))

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
        return ReceivedDisk(
            name=self._name,
            bytes=total,
            sent_bytes=sent,
            same_bytes=same,
            zero_bytes=zeros,
            read_bytes=self._notes.bytes_of(b"DSV"),
            carried_bytes=self._notes.bytes_of(b"C"),
            reread_bytes=self._notes.bytes_of(b"V"),
            doubt=self._unchanged.doubt,
            exclusive_bytes=self._unchanged.exclusive_bytes,
            decayed=self._decayed,
        )

    def _receive(self, stream: ImageStream, image: int, progress: Progress) -> None:
        ahead = deque[tuple[Frame, Future[bytes]]]()
        with (
            self._notes.opened(self._done) as notes,
            opened(self._old_image, os.O_RDONLY) as old_image,
            ThreadPoolExecutor(THREADS) as threads,
        ):
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
        carried = deque(self._carried.runs(due, end))
        stream.request(self._name, due, end - due, base, carried)
        frames = stream.frames()
        while True:
            if carried and carried[0].start == due:
                yield from self._carry_over(carried[0])
                due = carried.popleft().stop
            elif frame := next(frames, None):
                self._require_in_order(frame, due, carried[0].start if carried else end)
                due += frame.chunks
                yield frame
            else:
                break
        if due < end:
            raise BackupError(f"The host ended {self._name} after {due:,} of {self._chunks.count:,} chunks.")

    def _carry_over(self, run: range) -> Iterator[Frame]:
        """Yield frames of chunks that the host doesn't send, as they haven't changed since the base."""
        for zeros, indexes in groupby(run, self._was_zeros):
            found = list(indexes)
            kind, longest = (b"Z", len(found)) if zeros else (b"C", LONGEST_SAME_RUN)
            for first in range(found[0], found[-1] + 1, longest):
                count = min(longest, found[-1] + 1 - first)
                yield Frame(kind, first, count, UNKNOWN, memoryview(b""))

    def _require_in_order(self, frame: Frame, due: int, end: int) -> None:
        if frame.first != due or due + frame.chunks > end:
            raise BackupError(
                f"The host sent {counted(frame.chunks, 'chunk')} of {self._name} from {frame.first:,} "
                f"on; expected was chunk {due:,} of {self._chunks.count:,}."
            )
        self._require_unchanged(frame)

    def _require_unchanged(self, frame: Frame) -> None:
        """Check that chunks that count as unchanged, and were read again, are the same as in the base."""
        if frame.kind == b"S":
            return
        for index in range(frame.first, frame.first + frame.chunks):
            if index not in self._carried or (frame.kind == b"Z" and self._was_zeros(index)):
                continue
            if frame.kind == b"D" and not (frame.digest != self._old.digest(index) and _is_intact(frame)):
                continue
            raise VmRereadError(
                f"Chunk {index:,} of {self._name} counted as unchanged, by where it lies on its host's file "
                f"system, and differs from {self._old_image.parent.name}. It is read whole instead."
            )

    def _was_zeros(self, index: int) -> bool:
        return self._old.digest(index) == self._zeros[self._chunks.length(index)]

    def _note(
        self, ahead: deque[tuple[Frame, Future[bytes]]], leave: int, notes: OpenNotes, progress: Progress
    ) -> None:
        """Note the written chunks in order; wait until no more than ``leave`` frames are pending."""
        while ahead and (len(ahead) > leave or ahead[0][1].done()):
            frame, written = ahead.popleft()
            notes.write(frame.first, written.result(), self._kinds(frame))
            self._bytes[frame.kind] += self._size(frame)
            progress.report(min((frame.first + frame.chunks) * CHUNK_BYTES, self._chunks.bytes))

    def _kinds(self, frame: Frame) -> bytes:
        """Return a letter for each chunk of a frame; V for what was read again, and is the same."""
        if frame.kind != b"S":
            return frame.kind * frame.chunks
        indexes = range(frame.first, frame.first + frame.chunks)
        return b"".join(b"V" if index in self._carried else b"S" for index in indexes)

    def _written(self, image: int, old_image: int, frame: Frame) -> bytes:
        """Check and write a frame; return the SHA-256 of each of its chunks."""
        if frame.kind == b"Z":  # the image has a hole there
            return b"".join(
                self._zeros[self._chunks.length(frame.first + more)] for more in range(frame.chunks)
            )
        if frame.kind in (b"S", b"C"):
            return self._copied(image, old_image, frame)
        if len(frame.data) != self._size(frame) or not _is_intact(frame):
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
        if not _copy(old_image, image, frame.first * CHUNK_BYTES, self._size(frame)):
            self._decayed = True
        return bytes(self._old.digests[first:end])

    def _size(self, frame: Frame) -> int:
        start = frame.first * CHUNK_BYTES
        return min(start + frame.chunks * CHUNK_BYTES, self._chunks.bytes) - start


def _is_intact(frame: Frame) -> bool:
    return hashlib.sha256(frame.data).digest() == frame.digest


def usable_base(base: PublishedVm | None, disk: str) -> tuple[Chunks, Path]:
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


def _unusable(base: PublishedVm, disk: str) -> str:
    """Return, as a phrase, that what the base has of a disk can't be used; empty if it hasn't the disk."""
    record = base.readable_record
    if not record or disk not in {one.name for one in record.disks}:
        return ""
    return f"the vault's {disk}.chunks or {disk}.img of {base.name} can't be read"


def _lengthen(image: int, length: int) -> None:
    try:
        os.ftruncate(image, length)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise VaultError(f"The vault's file system doesn't allow files of {size(length)}.") from error


def _copy(old_image: int, image: int, at: int, left: int) -> bool:
    """Copy a part of the base's image; return whether it can be read. If not, verification finds the hole."""
    try:
        while left and (copied := os.copy_file_range(old_image, image, left, at, at)):
            at, left = at + copied, left - copied
    except OSError as decayed:
        if decayed.errno not in UNREADABLE:
            raise
        return False
    return True
