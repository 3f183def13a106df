"""Kernel locks that keep the tasks of this machine apart; they end with the process that has them.

Where a lock can't be had, because another user of the machine owns its file or its holder hangs, a task goes
on without it.
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_POLL_S = 0.05


@contextmanager
def locked(name: str, timeout_s: float) -> Iterator[None]:
    """Keep other tasks out during the block.

    Args:
        name: what the lock is about.
        timeout_s: how long to wait for the task that has it.
    """
    with ExitStack() as opened:
        if (lock := _locked(name, timeout_s)) is not None:
            opened.callback(os.close, lock)
        yield


def lock_until_exit(name: str, timeout_s: float) -> None:
    """Keep other tasks out until this process ends; see :func:`locked`."""
    _locked(name, timeout_s)  # Linux closes it


def lock_file(name: str) -> Path:
    """Return the file of a lock."""
    return Path(tempfile.gettempdir()) / f"inpe-backup-{name}-{os.geteuid()}.lock"


def _locked(name: str, timeout_s: float) -> int | None:
    """Return the descriptor of a lock's file, locked if possible in time; None: it can't be opened."""
    with suppress(OSError):
        lock = os.open(lock_file(name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        _wait_for(lock, timeout_s)
        return lock
    return None


def _wait_for(lock: int, timeout_s: float) -> None:
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_POLL_S)
