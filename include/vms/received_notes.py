"""What was received of a disk, noted chunk by chunk: its SHA-256, and how it came. A transfer resumes there.

vda.received    32 bytes a chunk
vda.kinds       a letter each: the kind of its frame (``image_stream.Frame``), or ``V`` for a chunk that
counts as unchanged, was read again, and is the same
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import NonNegativeInt

from include.models import Model
from include.vms.archive import StagedVm
from include.vms.chunks import CHUNK_BYTES, DIGEST_BYTES, UNKNOWN, Chunks, StoredDigests

_AT_ONCE = 1 << 20


class ReceivedDisk(Model):
    """How one disk was received.

    Args:
        name: the disk's name.
        bytes: its size as the guest sees it.
        sent_bytes: what the host sent, in the try that completed it.
        same_bytes: what was copied from the base, in that try.
        zero_bytes: what contains only zeros, in that try.
        read_bytes: what the host read, in all tries; without zeros.
        carried_bytes: what was copied from the base and not read, in all tries.
        reread_bytes: what counted as unchanged, was read all the same, and is; it is part of ``read_bytes``.
        doubt: why nothing could be carried, as a phrase; empty if it could, or the host wasn't asked.
        exclusive_bytes: what the reference on its host took, beside what it shared with the disk.
        decayed: whether a part of the base couldn't be read, in that try: verification has it sent again.
    """

    name: str
    bytes: NonNegativeInt
    sent_bytes: NonNegativeInt
    same_bytes: NonNegativeInt
    zero_bytes: NonNegativeInt
    read_bytes: NonNegativeInt = 0
    carried_bytes: NonNegativeInt = 0
    reread_bytes: NonNegativeInt = 0
    doubt: str = ""
    exclusive_bytes: NonNegativeInt = 0
    decayed: bool = False


class OpenNotes(NamedTuple):
    """The two files, opened to be written."""

    received: int
    kinds: int

    def write(self, first: int, digests: bytes, kinds: bytes) -> None:
        """Note some chunks from one on."""
        write(self.kinds, memoryview(kinds), first)
        write(self.received, memoryview(digests), first * DIGEST_BYTES)


class ReceivedNotes:
    """The notes about one disk.

    Args:
        into: the staging folder.
        name: the disk's name.
        disk_bytes: its size.
    """

    def __init__(self, into: StagedVm, name: str, disk_bytes: int) -> None:
        self._received, self._kinds = into.received(name), into.kinds(name)
        self.chunks = Chunks(disk_bytes)
        digests = StoredDigests(self._received, 0, DIGEST_BYTES * self.chunks.count)
        self.chunks = Chunks(disk_bytes, digests=digests)

    def count(self) -> int:
        """Return how many chunks an earlier try noted, up to the first that a power failure zeroed."""
        if not (self._received.exists() and self._kinds.exists()):
            return 0
        kinds = len(self._kinds.read_bytes().partition(b"\0")[0])
        count = min(self._received.stat().st_size // DIGEST_BYTES, kinds, self.chunks.count)
        noted = Chunks(count * CHUNK_BYTES, digests=StoredDigests(self._received, 0, count * DIGEST_BYTES))
        return next((index for index in range(count) if noted.digest(index) == UNKNOWN), count)

    @contextmanager
    def opened(self, done: int) -> Iterator[OpenNotes]:
        """Open the notes to go on after so many chunks."""
        flags = os.O_WRONLY | os.O_CREAT
        with opened(self._received, flags) as received, opened(self._kinds, flags) as kinds:
            os.ftruncate(received, done * DIGEST_BYTES)
            os.ftruncate(kinds, done)
            yield OpenNotes(received, kinds)

    def bytes_of(self, kinds: bytes) -> int:
        """Return the size of the chunks that were received in some ways, such as ``b"DS"``."""
        total = last = 0
        if self._kinds.exists():
            with opened(self._kinds, os.O_RDONLY) as file:
                while part := os.read(file, _AT_ONCE):
                    total, last = total + sum(map(part.count, kinds)), part[-1]
        short = CHUNK_BYTES * self.chunks.count - self.chunks.bytes if last in kinds else 0
        return total * CHUNK_BYTES - short


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
