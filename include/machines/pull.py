"""Receiving frozen disks: only the chunks that differ, each checked, written sparse, and resumable.

Chunks that the newest generation has too are taken from there. ``copy_file_range`` shares their blocks where
the vault's file system can (XFS, Btrfs), and copies them elsewhere.
"""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence

from pydantic import NonNegativeFloat

from include.agent.serve import FILES
from include.errors import MachineNotImagedError
from include.facts import Facts
from include.machines.arriving_disk import ArrivingDisk, PulledDisk, opened, write
from include.machines.chunks import CHUNK_BYTES, Chunks
from include.machines.generation import PublishedGeneration, StagedGeneration
from include.machines.served import Frame, Way, serving


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
        into: where to; another freeze's work goes from there, once the host has said that it holds this one.
        base: the generation whose chunks needn't be sent.
        say: told, every few seconds, how far it is.

    Raises:
        ImageGoneError: the host doesn't hold them any more.
        MachineNotImagedError: the host can't read them, or holds others than it froze.
        SourceUnreachableError: the connection broke, or a chunk came damaged; another try goes on there.
        VaultError: the vault's file system can't hold such a large file.
    """
    began = time.monotonic()
    with serving(way) as served:
        into.begin(way.frozen.run, way.frozen.instant)
        files = _keep_files(served.introduction.files, into)
        held = served.introduction.disks
        disks = [ArrivingDisk(disk.name, disk.bytes, into, base).receive(served, say) for disk in held]
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
            with opened(into.image(disk), os.O_WRONLY) as image:
                for index in indexes:
                    served.ask(disk, index, 1)
                    for frame in served.frames():
                        _write_anew(image, index, frame, chunks)


def _write_anew(image: int, index: int, frame: Frame, chunks: Chunks) -> None:
    data = frame.data or memoryview(bytes(chunks.length(index)))
    if hashlib.sha256(data).digest() != chunks.digest(index):
        raise MachineNotImagedError(
            f"Chunk {index:,} isn't what the host hashed before: its frozen disk has changed. "
            "Nothing was published. Clear the freeze task."
        )
    write(image, data, index * CHUNK_BYTES)


def _keep_files(files: Mapping[str, bytes], into: StagedGeneration) -> tuple[str, ...]:
    kept = tuple(name for name in FILES if name in files)
    for name in kept:
        into.file(name).write_bytes(files[name])
    return kept
