"""Send the disks of a VM to its host over OpenSSH.

The other end is ``include/agent/restore/receive.py``, which documents the protocol.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from include.agent.bitmap import Bitmap
from include.agent.wire import BLANK_LINE, FRAME, KEEP_ALIVE, NO_DIGEST
from include.errors import BackupError, DamagedError, UnexpectedAnswerError
from include.models import Model
from include.remote import stream
from include.remote.program import parsed
from include.remote.stream import LONGEST_LINE, Stream
from include.shapes import mismatch
from include.vms.chunks import Chunks
from include.vms.host import refusal
from include.vms.image import UNREADABLE
from include.vms.progress import Progress
from include.vms.restore_models import DiskTarget, VmRestoreOrder

_AHEAD = 12  # chunks read and hashed ahead of the one being sent
_THREADS = 2


class _Introduction(Model):
    """The host's first line."""

    disks: tuple[DiskTarget, ...]


@contextmanager
def sending(config: Path, command: str, order: VmRestoreOrder) -> Iterator["RestoreStream"]:
    """Open a stream that sends a VM's disks to a host, for a block.

    Args:
        config: the SSH configuration, of :func:`include.remote.ssh.configured`.
        command: the agent's command on the host.
        order: what to restore.

    Raises:
        BackupError: the host refuses; see ``Host.check_restore``.
        SourceUnreachableError: the connection broke; a retry resumes.
    """
    with stream.opened(config, command) as opened:
        yield RestoreStream(opened, order)


class RestoreStream:
    """The stream to the host's agent during a restore.

    Args:
        opened: the open stream.
        order: what to restore.
    """

    def __init__(self, opened: Stream, order: VmRestoreOrder) -> None:
        self._stream = opened
        opened.send_line_meanwhile(order.model_dump(mode="json"))
        answer = opened.read_line()
        if "error" in answer:
            raise refusal(answer)
        self.places = _places(answer)

    def compare(self, disk: str, chunks: Chunks, progress: Progress) -> Bitmap:
        """Return the numbers of the chunks of a disk that differ on the host, which reads all of it."""
        request = {"do": "compare", "disk": disk, "chunk_bytes": chunks.chunk_bytes, "count": chunks.count}
        self._stream.send_line_meanwhile(request, chunks.blocks())
        return self._read_indexes(chunks, progress)

    def write(self, disk: str, image: Path, chunks: Chunks, missing: Bitmap, progress: Progress) -> None:
        """Send chunks of an image, each verified against its SHA-256 first.

        Raises:
            DamagedError: the vault's image is damaged; the VM hasn't been changed.
        """
        self._stream.send_line({"do": "write", "disk": disk}, sign=KEEP_ALIVE)
        sent = 0
        try:
            for index, data in read_verified(image, chunks, missing):
                self._stream.send(FRAME.pack(b"D", index, len(data), chunks.digest(index)), data)
                sent += len(data)
                progress.report(sent)
            self._stream.send(FRAME.pack(b"E", 0, 0, NO_DIGEST), sign=BLANK_LINE)
        except BrokenPipeError:
            pass  # the host has sent the reason, which is read next, or is gone
        deque(self._frames(), maxlen=0)

    def verify(self, disk: str, chunks: Chunks, progress: Progress) -> Bitmap:
        """Have the host read a disk back; return the numbers of the chunks that differ."""
        self._stream.send_line({"do": "verify", "disk": disk})
        return self._read_indexes(chunks, progress)

    def _read_indexes(self, chunks: Chunks, progress: Progress) -> Bitmap:
        found = Bitmap(chunks.count)
        for kind, first, count in self._frames():
            if kind not in (b"S", b"W") or first + count > chunks.count:
                raise BackupError(f"Unexpected output of the host: a frame {kind!r} of {count:,} chunks.")
            for index in range(first, first + count) if kind == b"W" else ():
                found.add(index)
            progress.report(min((first + count) * chunks.chunk_bytes, chunks.bytes))
        return found

    def _frames(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield kind and numbers of each frame up to the last, without signs of life."""
        while True:
            kind, first, second, _ = FRAME.unpack(
                self._stream.read_exactly(memoryview(bytearray(FRAME.size)))
            )
            if kind in (b"E", b"X") and second <= LONGEST_LINE:
                answer = parsed(self._stream.read_exactly(memoryview(bytearray(second))), "the host")
                if kind == b"X":
                    raise refusal(answer)
                return
            if kind != b"L":
                yield kind, first, second


def _places(answer: dict[str, Any]) -> tuple[DiskTarget, ...]:
    try:
        return _Introduction.model_validate(answer).disks
    except ValidationError as wrong:
        raise UnexpectedAnswerError(
            f"Unexpected output of the host: {mismatch(wrong)}. Nothing was sent. "
            "Find out what changes the agent's output there, or who."
        ) from wrong


def read_verified(image: Path, chunks: Chunks, missing: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and data of chunks, each verified against its SHA-256; threads read ahead.

    Raises:
        DamagedError: a chunk doesn't match, or can't be read.
    """
    ahead = deque[tuple[int, Future[bytes]]]()
    file = os.open(image, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        with ThreadPoolExecutor(_THREADS) as threads:
            for index in missing:
                ahead.append((index, threads.submit(_read, file, image, chunks, index)))
                if len(ahead) == _AHEAD:
                    yield _next(ahead)
            while ahead:
                yield _next(ahead)
    finally:
        os.close(file)


def _next(ahead: deque[tuple[int, Future[bytes]]]) -> tuple[int, bytes]:
    index, read = ahead.popleft()
    return index, read.result()


def _read(file: int, image: Path, chunks: Chunks, index: int) -> bytes:
    try:
        data = os.pread(file, chunks.length(index), index * chunks.chunk_bytes)
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        data = b""
    if hashlib.sha256(data).digest() != chunks.digest(index):
        raise DamagedError(f"{image} is damaged: checksum mismatch of chunk {index:,}.")
    return data
