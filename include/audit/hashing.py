"""Files held against their SHA-256, read from the disk itself on all cores."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from include.listing import named
from include.machines.image import UNREADABLE
from include.wording import counted

BLOCK_BYTES = 1 << 20

Pace = Callable[[int], None]
"""Waits until so many bytes more may be read."""


class Fault(StrEnum):
    """What can be wrong with a file, in the words of a sentence about some of them."""

    DIFFERS = "not as published"
    UNREADABLE = "decayed: the disk can't read it"
    MISSING = "missing"
    STRANGE = "there and never published"


Faults = Mapping[str, Fault]
"""What is wrong, by path."""


def told(faults: Faults) -> list[str]:
    """Say what is wrong, a sentence for each kind: ``2 files are missing: 'a', 'b'.``."""
    kinds = {kind: sorted(path for path, fault in faults.items() if fault is kind) for kind in Fault}
    return [
        f"{counted(len(paths), 'file')} {'is' if len(paths) == 1 else 'are'} {kind}: {named(paths)}."
        for kind, paths in kinds.items()
        if paths
    ]


def compare(folder: Path, sums: Mapping[str, str], pace: Pace) -> Faults:
    """Read files, and hold each against its SHA-256.

    Args:
        folder: where they are.
        sums: the SHA-256 of each, by its path.
        pace: asked before each block.

    Raises:
        PermissionError: this user may not read one.
    """
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
        found = threads.map(lambda path: _fault(folder, path, sums[path], pace), sums)
        return {path: fault for path, fault in zip(sums, found, strict=True) if fault}


def missing_and_strange(wanted: Collection[str], there: Collection[str]) -> Faults:
    """Say what isn't there of what should be, and what is there beside it."""
    return {
        **{path: Fault.MISSING for path in wanted if path not in there},
        **{path: Fault.STRANGE for path in there if path not in wanted},
    }


def writable(folder: Path, paths: Iterable[str]) -> list[str]:
    """Give what isn't read-only any more, though all that is published is made so."""
    return [path for path in paths if os.lstat(_joined(folder, path)).st_mode & 0o222]


def _fault(folder: Path, path: str, sha256: str, pace: Pace) -> Fault | None:
    try:
        return None if _sha256(_joined(folder, path), pace) == sha256 else Fault.DIFFERS
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        return Fault.UNREADABLE


def _sha256(path: bytes, pace: Pace) -> str:
    digest, block = hashlib.sha256(), bytearray(BLOCK_BYTES)
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as file:  # noqa: PTH123 - a file that is open
        # What memory has of it says nothing of the disk; and nobody else's files are driven out of it.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while count := file.readinto(block):
            digest.update(memoryview(block)[:count])
            pace(count)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return digest.hexdigest()


def _joined(folder: Path, path: str) -> bytes:
    return os.path.join(os.fsencode(folder), path.encode("utf-8", "surrogateescape"))  # noqa: PTH118 - bytes
