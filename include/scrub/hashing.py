"""Compare files with their SHA-256, reading from the disk on all cores."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from include.names import named
from include.text import counted
from include.vms.image import UNREADABLE

BLOCK_BYTES = 1 << 20

Pace = Callable[[int], None]
"""Called with a number of bytes; waits until that many more may be read."""


class Fault(StrEnum):
    """What can be wrong with a file; the value completes the sentence "1 file is ..."."""

    DIFFERS = "not as published"
    UNREADABLE = "unreadable (disk error)"
    MISSING = "missing"
    UNEXPECTED = "unexpected"


Faults = Mapping[str, Fault]
"""The fault of each faulty file, by path."""


def describe(faults: Faults) -> list[str]:
    """Return a sentence for each kind of fault, such as ``2 files are missing: 'a', 'b'.``."""
    kinds = {kind: sorted(path for path, fault in faults.items() if fault is kind) for kind in Fault}
    return [
        f"{counted(len(paths), 'file')} {'is' if len(paths) == 1 else 'are'} {kind}: {named(paths)}."
        for kind, paths in kinds.items()
        if paths
    ]


def compare(folder: Path, sums: Mapping[str, str], pace: Pace) -> Faults:
    """Read files, compare each with its SHA-256, and return the faults.

    Args:
        folder: the folder that the paths are relative to.
        sums: the SHA-256 of each file, by path.
        pace: called with the length of each block that is read.

    Raises:
        PermissionError: this user may not read a file.
    """
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
        found = threads.map(lambda path: _fault(folder, path, sums[path], pace), sums)
        return {path: fault for path, fault in zip(sums, found, strict=True) if fault}


def missing_and_unexpected(expected: Collection[str], found: Collection[str]) -> Faults:
    """Return the paths that are expected and not found, and those that are found and not expected."""
    return {
        **{path: Fault.MISSING for path in expected if path not in found},
        **{path: Fault.UNEXPECTED for path in found if path not in expected},
    }


def writable(folder: Path, paths: Iterable[str]) -> list[str]:
    """Return the paths that aren't read-only, though publishing made them so."""
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
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as file:  # noqa: PTH123 - a file descriptor
        # Read from the disk, not from the page cache; and leave other programs' pages in it.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while count := file.readinto(block):
            digest.update(memoryview(block)[:count])
            pace(count)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return digest.hexdigest()


def _joined(folder: Path, path: str) -> bytes:
    return os.path.join(os.fsencode(folder), path.encode("utf-8", "surrogateescape"))  # noqa: PTH118 - bytes
