"""The transfer of a VM's disks: only the chunks that differ, each checked, written sparse; it can be resumed.

Chunks that the newest generation has as well are copied from there: ``copy_file_range`` shares their blocks
where the vault's file system can (XFS, Btrfs).
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Self

from pydantic import NonNegativeFloat

from include.agent.backup.send import FILES
from include.agent.durable_files import write_json
from include.errors import VmNotImagedError
from include.models import Model
from include.results.task_labels import task_label
from include.vms.archive import PublishedVm, StagedVm
from include.vms.chunks import CHUNK_BYTES, Chunks
from include.vms.image_stream import Frame, ImageSource, open_stream
from include.vms.incoming_disk import IncomingDisk
from include.vms.received_notes import ReceivedDisk, opened, write


class Transferred(Model):
    """What was transferred of a VM.

    Args:
        disks: how each disk was received.
        files: the names of the other files, such as ``domain.xml``.
        seconds: how long the try that completed it took.
        ended: whether the backup on the host has been ended since; nothing can be transferred again then.
        not_back: why the VM doesn't run as it should, if that was found when it was ended.
        warnings: what was repaired on the host when it was ended, as sentences.
        reread_turn: which share of what counts as unchanged was read again.
        mismatch: what was found to differ in what counted as unchanged, as sentences; else empty.
    """

    disks: tuple[ReceivedDisk, ...]
    files: tuple[str, ...]
    seconds: NonNegativeFloat
    ended: bool = False
    not_back: str = ""
    warnings: tuple[str, ...] = ()
    reread_turn: int = 0
    mismatch: str = ""

    def noted(self, staged: StagedVm, **fields: object) -> Self:
        """Return the same with some fields changed, once it is on the vault's disk."""
        changed = self.model_copy(update=fields)
        write_json(staged.transferred, changed.model_dump(mode="json"))
        return changed


def transfer(
    source: ImageSource, into: StagedVm, base: PublishedVm | None, log: Callable[[str], None]
) -> Transferred:
    """Receive all disks of an open backup; what an earlier try received isn't sent again.

    Args:
        source: how the disks are reached.
        into: the staging folder; what it has of another backup is removed once the host confirms this one.
        base: the generation whose chunks needn't be sent.
        log: is called with a line of progress every few seconds.

    Raises:
        ImageGoneError: the backup isn't open on the host any more.
        VmDisksChangedError: the VM was off, and was started meanwhile; what was received can't be used.
        VmNotImagedError: the host can't read the disks, or sends others than when the backup began.
        SourceUnreachableError: the connection broke, or a chunk arrived damaged; a retry resumes there.
        VmRereadError: what counted as unchanged has changed; what was received can't be used.
        VaultError: the vault's file system doesn't allow such a large file.
    """
    began = time.monotonic()
    with open_stream(source) as stream:
        into.begin(source.begun.run, source.begun.instant)
        files = _write_files(stream.header.files, into)
        incoming = [IncomingDisk(disk.name, disk.bytes, into, base) for disk in stream.header.disks]
        for disk in incoming:
            disk.carry(stream.header, source.rules)
        disks = [disk.receive(stream, log) for disk in incoming]
    seconds, turn = round(time.monotonic() - began, 3), source.rules.turn if source.rules else 0
    return Transferred(disks=tuple(disks), files=files, seconds=seconds, reread_turn=turn)


def transfer_again(source: ImageSource, into: StagedVm, bad: Mapping[str, Iterable[int]]) -> None:
    """Receive some chunks again, and overwrite what staging has of them.

    Args:
        source: see :func:`transfer`.
        into: see there.
        bad: the chunks' indexes by disk.

    Raises:
        VmNotImagedError: the host sends other data than before.
    """
    with open_stream(source) as stream:
        for disk, indexes in bad.items():
            chunks = Chunks.read(into.chunks(disk))
            with opened(into.image(disk), os.O_WRONLY) as image:
                for index in indexes:
                    stream.request(disk, index, 1)
                    for frame in stream.frames():
                        _overwrite(image, index, frame, chunks)


def _overwrite(image: int, index: int, frame: Frame, chunks: Chunks) -> None:
    data = frame.data or memoryview(bytes(chunks.length(index)))
    if hashlib.sha256(data).digest() != chunks.digest(index):
        raise VmNotImagedError(
            f"Checksum mismatch: chunk {index:,} has changed on the host since the first transfer. "
            f"Nothing was published. Clear the VM's task {task_label('begin_backup')}."
        )
    write(image, data, index * CHUNK_BYTES)


def _write_files(files: Mapping[str, bytes], into: StagedVm) -> tuple[str, ...]:
    names = tuple(name for name in FILES if name in files)
    for name in names:
        into.file(name).write_bytes(files[name])
    return names
