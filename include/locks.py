"""Kernel locks: what keeps two runs off one another, and dies with its holder."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from include.errors import NotYetError

BUSY_RETRY_S = 10.0
_POLL_S = 0.2
Held = TypeVar("Held")


@contextmanager
def locked(path: Path, kind: int, who: str) -> Iterator[None]:
    """Hold a kernel lock for the time of a block; it ends with the process, however that ends.

    Args:
        path: a file, or a folder, which is made; a name that ends in ``.lock`` is a file.
        kind: ``fcntl.LOCK_SH`` or ``fcntl.LOCK_EX``.
        who: what it is held for, for the message.

    Raises:
        NotYetError: somebody else holds it.
    """
    with _held(_open_lock(path, kind), path, kind, who):
        yield


@contextmanager
def kept(folder: Path, kind: int, who: str) -> Iterator[None]:
    """Do what :func:`locked` does with a folder as it is: it's never made.

    Raises:
        OSError: it isn't there, or can't be opened.
    """
    with _held(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), folder, kind, who):
        yield


@contextmanager
def soon(hold: Callable[[], AbstractContextManager[Held]], patience_s: float) -> Iterator[Held]:
    """Hold something for the time of a block, once whoever has it has let go of it.

    Args:
        hold: takes it at once, or raises ``NotYetError``.
        patience_s: how long it's tried.

    Raises:
        NotYetError: it wasn't let go of.
    """
    deadline = time.monotonic() + patience_s
    with ExitStack() as taken:
        while True:
            try:
                held = taken.enter_context(hold())
                break
            except NotYetError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_POLL_S)
        yield held


@contextmanager
def _held(descriptor: int, path: Path, kind: int, who: str) -> Iterator[None]:
    try:
        if not _taken(descriptor, kind, path):
            raise NotYetError(
                f"{who}: another run is working at {path}; looking again in {BUSY_RETRY_S:.0f} s.",
                retry_in_s=BUSY_RETRY_S,
            )
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int, kind: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False  # held, or removed by its last holder after we opened it


def _open_lock(path: Path, kind: int) -> int:
    if path.name == ".lock":
        # NFS wants it open for writing to hold it alone (flock(2)); to share it, nothing need be writable.
        access = os.O_RDONLY if kind == fcntl.LOCK_SH else os.O_RDWR
        return os.open(path, access | os.O_CREAT, 0o644)
    path.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
