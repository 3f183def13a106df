"""Disks on their way to a host: this end of the wire, carried by OpenSSH.

The other end is ``include/agent/receive.py``, which says how they speak.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from include.agent.wire import FRAME
from include.errors import BackupError, DamagedError
from include.facts import Facts
from include.machines.agent_line import LONGEST_WORDS, AgentLine, agent_line, json_of
from include.machines.chunks import Chunks
from include.machines.host import refusal
from include.machines.image import UNREADABLE
from include.machines.progress import Progress
from include.machines.restore_facts import Place, RestoreRequest

_AHEAD = 12  # chunks that are read and hashed while one is sent
_THREADS = 2


class _Introduction(Facts):
    """What the host says before it's asked for anything."""

    disks: tuple[Place, ...]


@contextmanager
def sending(config: Path, command: str, request: RestoreRequest) -> Iterator["Sender"]:
    """Have a host take a machine's disks for the time of a block.

    Args:
        config: of :func:`include.transfer.connected`.
        command: what takes them, on the host.
        request: what is to be restored.

    Raises:
        BackupError: the host refuses; see ``Host.check_restore``.
        SourceUnreachableError: the connection broke; another try goes on where it was.
    """
    with agent_line(config, command) as line:
        yield Sender(line, request)


class Sender:
    """The host's side of a restore.

    Args:
        line: the conversation with it.
        request: what is to be restored.
    """

    def __init__(self, line: AgentLine, request: RestoreRequest) -> None:
        self._line = line
        line.say_meanwhile(request.model_dump(mode="json"))
        said = line.words()
        if "error" in said:
            raise refusal(said)
        self.places = _Introduction.model_validate(said).disks

    def compare(self, disk: str, chunks: Chunks) -> list[int]:
        """Give the numbers of the chunks that the host lacks of a disk."""
        facts = {"do": "compare", "disk": disk, "chunk_bytes": chunks.chunk_bytes, "count": chunks.count}
        self._line.say_meanwhile(facts, chunks.digests)
        return self._wanted(chunks)

    def write(
        self, disk: str, image: Path, chunks: Chunks, wanted: Sequence[int], progress: Progress
    ) -> None:
        """Send chunks of an image, each once it's proven to be what was hashed.

        Raises:
            DamagedError: the vault's image is damaged there; nothing of the machine was touched.
        """
        self._line.say({"do": "write", "disk": disk, "count": len(wanted)})
        sent = 0
        try:
            for index, data in proven(image, chunks, wanted):
                self._line.send(FRAME.pack(b"D", index, len(data), chunks.digest(index)), data)
                sent += len(data)
                progress.tell(sent)
        except BrokenPipeError:
            pass  # the host has said why, or is gone
        self._wanted(chunks)

    def prove(self, disk: str, chunks: Chunks) -> list[int]:
        """Have the host read a disk back from its disk; gives the chunks that aren't as they should be."""
        self._line.say({"do": "prove", "disk": disk})
        return self._wanted(chunks)

    def _wanted(self, chunks: Chunks) -> list[int]:
        found = list[int]()
        while True:
            kind, first, second, _ = FRAME.unpack(self._line.exactly(memoryview(bytearray(FRAME.size))))
            if kind == b"W" and first + second <= chunks.count:
                found += range(first, first + second)
            elif kind in (b"E", b"X") and second <= LONGEST_WORDS:
                said = json_of(self._line.exactly(memoryview(bytearray(second))))
                if kind == b"X":
                    raise refusal(said)
                return found
            elif kind not in (b"S", b"L"):
                raise BackupError(f"The host sent what is no frame: {kind!r} of {second:,} bytes.")


def proven(image: Path, chunks: Chunks, wanted: Sequence[int]) -> Iterator[tuple[int, bytes]]:
    """Give chunks of an image, each held against what its source hashed; threads read ahead.

    Raises:
        DamagedError: one isn't that, or can't be read.
    """
    ahead = deque[tuple[int, Future[bytes]]]()
    file = os.open(image, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        with ThreadPoolExecutor(_THREADS) as threads:
            for index in wanted:
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
        raise DamagedError(f"{image} is damaged: chunk {index:,} isn't what the machine's host hashed.")
    return data
