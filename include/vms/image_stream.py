"""The disks of an open backup as a stream from their host, over OpenSSH.

The other end is ``agent/backup/send.py``; the protocol is described in ``agent/wire.py``.
"""

import base64
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, ValidationError

from include.agent.wire import DIGEST_BYTES, FRAME
from include.errors import BackupError, UnexpectedAnswerError, VmNotImagedError
from include.models import Model
from include.names import named
from include.remote import stream
from include.remote.program import parsed
from include.remote.stream import LONGEST_LINE, Stream
from include.results.task_labels import task_label
from include.shapes import mismatch
from include.vms.carried import CarryRules, UnchangedRanges
from include.vms.chunks import CHUNK_BYTES
from include.vms.host import refusal
from include.vms.models import BegunBackup

AHEAD = 12  # frames that may be in use while the next one is received
DEFINITION = "domain.xml"
_LARGEST_DISK = 1 << 46  # bytes; the digests of 64 TiB take 2 GiB of the vault


class ImageSource(NamedTuple):
    """How the disks of an open backup are reached.

    Args:
        config: OpenSSH's configuration, of :func:`include.remote.ssh.configured`.
        command: the command that sends them, on the host.
        begun: the backup that they must be of.
        rules: what may be carried over from the base without being read; None: nothing.
    """

    config: Path
    command: str
    begun: BegunBackup
    rules: CarryRules | None = None


class Frame(NamedTuple):
    """One chunk, or a run of chunks of the same kind, from the host.

    Args:
        kind: ``D`` data, ``S`` the same as in the base, ``Z`` zeros; ``C`` carried: the host didn't read it.
        first: the first chunk's index.
        chunks: how many.
        digest: SHA-256 of the data.
        data: the data.
    """

    kind: bytes
    first: int
    chunks: int
    digest: bytes
    data: memoryview


class ExportedDisk(Model):
    """A disk that the host sends: its name, and its size in bytes as the guest sees it."""

    name: str
    bytes: int = Field(ge=0, le=_LARGEST_DISK)


def _decoded(text: object) -> object:
    return base64.b64decode(text, validate=True) if isinstance(text, str) else text


class ImageHeader(Model):
    """The first line from the host.

    Args:
        vm: the VM's name.
        uuid: the VM's UUID.
        disks: the disks of the open backup.
        files: the other files of the backup, such as ``domain.xml``.
        unchanged: what hasn't changed since the base, by disk; empty unless it was asked for.
    """

    vm: str
    uuid: str
    disks: tuple[ExportedDisk, ...]
    files: dict[str, Annotated[bytes, BeforeValidator(_decoded)]]
    unchanged: dict[str, UnchangedRanges] = Field(default={})


@contextmanager
def open_stream(source: ImageSource) -> Iterator["ImageStream"]:
    """Open the stream of a VM's disks for the time of a block.

    Raises:
        ImageGoneError: the backup isn't open on the host any more.
        VmNotImagedError: the host can't read the disks, or sends others.
        SourceUnreachableError: the connection broke, or nothing was received for ``stream.SILENCE_S``.
    """
    with stream.opened(source.config, source.command) as opened:
        yield ImageStream(opened, source.begun, source.rules)


class ImageStream:
    """The stream of a VM's disks.

    Args:
        opened: the connection to the host.
        begun: the backup that the disks must be of.
        rules: see :class:`ImageSource`.
    """

    def __init__(self, opened: Stream, begun: BegunBackup, rules: CarryRules | None = None) -> None:
        self._stream = opened
        self._buffers = deque(bytearray(CHUNK_BYTES) for _ in range(AHEAD + 2))
        opened.send_line({"run": begun.run, **({"base": rules.base} if rules else {})})
        answer = opened.read_line()
        if "error" in answer:
            raise refusal(answer)
        self.header = _header(answer, begun)

    def request(
        self,
        disk: str,
        first: int,
        count: int,
        base: bytes | memoryview = b"",
        skip: Sequence[range] = (),
    ) -> None:
        """Request a part of a disk.

        Args:
            disk: its name.
            first: the first chunk.
            count: how many chunks, ``LONGEST_REQUEST`` at most.
            base: SHA-256 of the base's chunks from ``first`` on.
            skip: which of them aren't requested.
        """
        known, left_out = len(base) // DIGEST_BYTES, [(run.start, run.stop) for run in skip]
        part = {"disk": disk, "chunk_bytes": CHUNK_BYTES, "from": first, "count": count, "have": known}
        part |= {"skip": left_out} if left_out else {}
        self._stream.send_line_meanwhile(part, [base])

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of the requested part; data are valid until ``AHEAD`` more frames are received.

        Raises:
            EOFError: the connection broke, or is silent.
            ImageGoneError, VmNotImagedError, VmDisksChangedError: the host can't continue; see the message.
            BackupError: the host sent an invalid frame.
        """
        while True:
            kind, first, second, digest = FRAME.unpack(
                self._stream.read_exactly(memoryview(bytearray(FRAME.size)))
            )
            if kind == b"D" and second <= CHUNK_BYTES:
                yield Frame(kind, first, 1, digest, self._stream.read_exactly(self._buffer(second)))
            elif kind in (b"S", b"Z") and second:
                yield Frame(kind, first, second, digest, memoryview(b""))
            elif kind in (b"E", b"X") and second <= LONGEST_LINE:
                answer = parsed(self._stream.read_exactly(memoryview(bytearray(second))), "the host")
                if kind == b"X":
                    raise refusal(answer)
                return
            elif kind != b"L":
                raise BackupError(f"The host sent an invalid frame: {kind!r} of {second:,} bytes.")

    def _buffer(self, length: int) -> memoryview:
        self._buffers.rotate(-1)
        return memoryview(self._buffers[0])[:length]


def _header(answer: dict[str, Any], begun: BegunBackup) -> ImageHeader:
    """Validate the first line; it must be of the disks of this backup."""
    try:
        header = ImageHeader.model_validate(answer)
    except ValidationError as wrong:
        raise UnexpectedAnswerError(f"{begun.vm}: invalid header from its host: {mismatch(wrong)}") from wrong
    sent = [(disk.name, disk.bytes) for disk in header.disks]
    if sent != [(disk.name, disk.bytes) for disk in begun.disks]:
        raise VmNotImagedError(
            f"{begun.vm}: its host sends {named(name for name, _ in sent)}, with other names or sizes than "
            f"when the backup began. Nothing was copied. Clear the VM's task {task_label('begin_backup')}."
        )
    if DEFINITION not in header.files:
        raise VmNotImagedError(f"{begun.vm}: its host sends no definition of it ({DEFINITION}).")
    return header
