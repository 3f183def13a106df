"""Compare files with their SHA-256, reading from the disk on all cores."""

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from include.scrub.faults import Fault
from include.vms.image import UNREADABLE

BLOCK_BYTES = 1 << 20

Pace = Callable[[int], None]
"""Called with a number of bytes; waits until that many more may be read."""


def compare(
    folder: Path, files: Iterable[tuple[str, str]], pace: Pace, note: Callable[[str, Fault], object]
) -> None:
    """Read files, and compare each with its SHA-256.

    Each thread takes the next file when it is done with one, so that a million files need no memory.

    Args:
        folder: the folder that the paths are relative to.
        files: the path and SHA-256 of each file.
        pace: called with the length of each block that is read.
        note: called with the path and the fault of each faulty file, by one thread at a time.

    Raises:
        PermissionError: this user may not read a file.
    """
    left, lock = iter(files), threading.Lock()

    def work() -> None:
        nonlocal left
        try:
            while file := _next(left, lock):
                if fault := _fault(folder, *file, pace):
                    with lock:
                        note(file[0], fault)
        except BaseException:
            left = iter(())  # the other threads end, too
            raise

    count = max(2, os.cpu_count() or 1)
    with ThreadPoolExecutor(count) as threads:
        for ended in [threads.submit(work) for _ in range(count)]:
            ended.result()


def missing_and_unexpected(expected: Collection[str], found: Collection[str]) -> Mapping[str, Fault]:
    """Return the paths that are expected and not found, and those that are found and not expected."""
    return {
        **{path: Fault.MISSING for path in expected if path not in found},
        **{path: Fault.UNEXPECTED for path in found if path not in expected},
    }


def _next(files: Iterator[tuple[str, str]], lock: threading.Lock) -> tuple[str, str] | None:
    with lock:
        return next(files, None)


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
