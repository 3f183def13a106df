"""Receiving frozen disks: only the chunks that differ, each checked, written sparse, and resumable.

Chunks that the newest generation has too are taken from there. ``copy_file_range`` shares their blocks where
the vault's file system can (XFS, Btrfs), and copies them elsewhere.
"""

import base64
import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pydantic import NonNegativeFloat, NonNegativeInt

from include.agent.serve import FILES
from include.errors import BackupError, MachineNotImagedError, SourceUnreachableError, VaultError
from include.facts import Facts
from include.machines.chunks import CHUNK_BYTES, DIGEST_BYTES, Chunks
from include.machines.generation import PublishedGeneration, StagedGeneration
from include.machines.progress import Progress
from include.machines.served import AHEAD, Frame, Served, Way, serving

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


class Pulled(Facts):
    """What came of a machine.

    Args:
        disks: of each disk.
        files: what else came, such as ``domain.xml``.
        seconds: what it took, in the try that ended it.
    """

    disks: tuple[PulledDisk, ...]
    files: tuple[str, ...]
    seconds: NonNegativeFloat


def pull(
    way: Way, into: StagedGeneration, base: PublishedGeneration | None, say: Callable[[str], None]
) -> Pulled:
    """Receive all frozen disks of a machine; what came in a try before isn't sent again.

    Args:
        way: how the host's frozen disks are reached.
        into: where to; it was begun for this very freeze.
        base: the generation whose chunks needn't be sent.
        say: told, every few seconds, how far it is.

    Raises:
        ImageGoneError: the host doesn't hold them any more.
        MachineNotImagedError: the host can't read them.
        SourceUnreachableError: the connection broke, or a chunk came damaged; another try goes on there.
    """
    began = time.monotonic()
    with serving(way) as served:
        files = _keep_files(served.introduction["files"], into)
        sizes = {str(disk["name"]): int(disk["bytes"]) for disk in served.introduction["disks"]}
        disks = [_Disk(name, size, into, base).receive(served, say) for name, size in sizes.items()]
    return Pulled(disks=tuple(disks), files=files, seconds=round(time.monotonic() - began, 3))


def pull_again(way: Way, into: StagedGeneration, bad: Mapping[str, Sequence[int]]) -> None:
    """Receive some chunks of disks anew, whatever staging has of them.

    Args:
        way: see :func:`pull`.
        into: see there.
        bad: the chunks' numbers by disk.

    Raises:
        MachineNotImagedError: the host gives other bytes than it hashed before.
    """
    with serving(way) as served:
        for disk, indexes in bad.items():
            chunks = Chunks.read(into.chunks(disk))
            with _opened(into.image(disk), os.O_WRONLY) as image:
                for index in indexes:
                    served.ask(disk, index, 1)
                    for frame in served.frames():
                        _write_anew(image, frame, chunks)


def _write_anew(image: int, frame: Frame, chunks: Chunks) -> None:
    data = frame.data or memoryview(bytes(chunks.length(frame.first)))
    if hashlib.sha256(data).digest() != chunks.digest(frame.first):
        raise MachineNotImagedError(
            f"Chunk {frame.first:,} isn't what the host hashed before: its frozen disk has changed. "
            "Nothing was published. Clear the freeze task."
        )
    _write(image, data, frame.first * CHUNK_BYTES)


def _keep_files(files: Mapping[str, str], into: StagedGeneration) -> tuple[str, ...]:
    kept = tuple(name for name in FILES if name in files)
    for name in kept:
        into.file(name).write_bytes(base64.b64decode(files[name]))
    return kept


class _Disk:
    """One disk on its way into staging."""

    def __init__(
        self, name: str, size: int, into: StagedGeneration, base: PublishedGeneration | None
    ) -> None:
        self._name = name
        self._into = into
        self._chunks = Chunks.unknown(size)
        self._old, self._old_image = _known(base, name)
        have = into.have(name).read_bytes() if into.have(name).exists() else b""
        self._done = min(len(have) // DIGEST_BYTES, self._chunks.count)
        self._chunks.digests[: self._done * DIGEST_BYTES] = have[: self._done * DIGEST_BYTES]
        self._bytes = {b"D": 0, b"S": 0, b"Z": 0}
        self._zeros = {size: hashlib.sha256(bytes(size)).digest() for size in self._chunks.lengths}

    def receive(self, served: Served, say: Callable[[str], None]) -> PulledDisk:
        """Receive what isn't there yet, and write down the hashes of all of it."""
        size, done = self._chunks.bytes, self._done * CHUNK_BYTES
        progress = Progress(f"{self._into.machine} {self._name}", size, say, done)
        with _opened(self._into.image(self._name), os.O_WRONLY | os.O_CREAT) as image:
            os.ftruncate(image, min(done, size))  # what a try before wrote beyond is zeros again
            os.ftruncate(image, size)
            if self._done < self._chunks.count:
                self._take(served, image, progress)
        self._chunks.write(self._into.chunks(self._name))
        sent, same, zeros = (self._bytes[kind] for kind in (b"D", b"S", b"Z"))
        return PulledDisk(name=self._name, bytes=size, sent_bytes=sent, same_bytes=same, zero_bytes=zeros)

    def _take(self, served: Served, image: int, progress: Progress) -> None:
        have = memoryview(self._old.digests)[self._done * DIGEST_BYTES : self._chunks.count * DIGEST_BYTES]
        served.ask(self._name, self._done, self._chunks.count - self._done, have)
        ahead = deque[tuple[Frame, Future[bytes]]]()
        with (
            self._into.have(self._name).open("r+b" if self._done else "wb", buffering=0) as noted,
            _opened(self._old_image, os.O_RDONLY) as old_image,
            ThreadPoolExecutor(THREADS) as threads,
        ):
            noted.seek(self._done * DIGEST_BYTES)
            noted.truncate()
            for frame in self._in_order(served):
                ahead.append((frame, threads.submit(self._written, image, old_image, frame)))
                while len(ahead) > AHEAD:
                    self._note(*ahead.popleft(), noted.write, progress)
            while ahead:
                self._note(*ahead.popleft(), noted.write, progress)

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
        self, frame: Frame, written: Future[bytes], note: Callable[[bytes], object], progress: Progress
    ) -> None:
        digests = written.result()
        note(digests)
        first = self._done * DIGEST_BYTES
        self._chunks.digests[first : first + len(digests)] = digests
        self._bytes[frame.kind] += self._size(frame)
        self._done += frame.chunks
        progress.tell(min(self._done * CHUNK_BYTES, self._chunks.bytes))

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
        _write(image, frame.data, frame.first * CHUNK_BYTES)
        return frame.digest

    def _taken_over(self, image: int, old_image: int, frame: Frame) -> bytes:
        first, end = frame.first * DIGEST_BYTES, (frame.first + frame.chunks) * DIGEST_BYTES
        if end > len(self._old.digests):
            raise BackupError(f"The host takes chunk {frame.first:,} of {self._name} for one that we have.")
        at = frame.first * CHUNK_BYTES
        left = self._size(frame)
        while left:
            copied = os.copy_file_range(old_image, image, left, at, at)
            if not copied:
                raise VaultError(f"{self._old_image} is shorter than it was. Check the vault's disk.")
            at, left = at + copied, left - copied
        return bytes(self._old.digests[first:end])

    def _size(self, frame: Frame) -> int:
        start = frame.first * CHUNK_BYTES
        return min(start + frame.chunks * CHUNK_BYTES, self._chunks.bytes) - start


def _known(base: PublishedGeneration | None, disk: str) -> tuple[Chunks, Path]:
    """Give the chunks and the image that an older generation has of a disk; none where it can't be used."""
    nothing = Chunks.unknown(0), Path(os.devnull)
    if not base or not base.image(disk).is_file():
        return nothing
    try:
        found = Chunks.read(base.chunks(disk))
    except VaultError:  # all of it is sent, then
        return nothing
    return (found, base.image(disk)) if found.chunk_bytes == CHUNK_BYTES else nothing


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    try:
        yield file
    finally:
        os.close(file)


def _write(image: int, data: memoryview, at: int) -> None:
    while data:
        written = os.pwrite(image, data, at)
        data, at = data[written:], at + written
