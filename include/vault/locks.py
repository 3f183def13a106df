"""Kernel locks (flock(2)): they keep concurrent runs apart, and end with the process that has them."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from include.errors import RescheduleError

_POLL_S = 0.2
Locked = TypeVar("Locked")


@contextmanager
def locked(path: Path, kind: int, who: str) -> Iterator[None]:
    """Lock a path during the block; the lock ends with the process, however that ends.

    Args:
        path: a folder, created if missing; ``.lock`` is a file instead.
        kind: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
        who: the day, VM or task that needs the lock, for the message.

    Raises:
        RescheduleError: another run has the lock.
    """
    with _locked(_open_lock(path, kind), path, kind, who):
        yield


@contextmanager
def locked_existing(folder: Path, kind: int, who: str) -> Iterator[None]:
    """Lock a folder as :func:`locked` does, but never create it.

    Raises:
        OSError: the folder doesn't exist, or can't be opened.
        RescheduleError: another run has the lock.
    """
    with _locked(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), folder, kind, who):
        yield


@contextmanager
def locked_within(lock: Callable[[], AbstractContextManager[Locked]], timeout_s: float) -> Iterator[Locked]:
    """Lock during the block, and wait for whoever has the lock to release it.

    Args:
        lock: locks at once, or raises ``RescheduleError``.
        timeout_s: how long to retry.

    Raises:
        RescheduleError: the lock wasn't released in time.
    """
    deadline = time.monotonic() + timeout_s
    with ExitStack() as stack:
        while True:
            try:
                acquired = stack.enter_context(lock())
                break
            except RescheduleError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_POLL_S)
        yield acquired


@contextmanager
def _locked(descriptor: int, path: Path, kind: int, who: str) -> Iterator[None]:
    try:
        if not _acquire(descriptor, kind, path):
            raise RescheduleError(f"{who}: another run is working at {path}; trying again later.")
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, kind: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False  # locked by another run, or removed by it after we opened it


def _open_lock(path: Path, kind: int) -> int:
    if path.name == ".lock":
        # NFS needs it open for writing for an exclusive lock (flock(2)); a shared one needs nothing writable.
        access = os.O_RDONLY if kind == fcntl.LOCK_SH else os.O_RDWR
        return os.open(path, access | os.O_CREAT, 0o644)
    path.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
