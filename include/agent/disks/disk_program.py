"""Programs that write whole disks: they are ended before the file system that they write to is full."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from include.agent.backup.scratch import usable_bytes

_WATCH_S = 0.1  # at 2 GB/s less is written meanwhile than is kept free
ALIVE_S = 5.0


class DiskProgramError(Exception):
    """The program failed, or was ended; the message says why."""


def run(
    command: list[str],
    folder: Path,
    alive: Callable[[], None] = lambda: None,
    timeout_s: float | None = None,
) -> None:
    """Run a program that writes a file of a folder.

    Args:
        command: its command line.
        folder: the folder.
        alive: called every few seconds meanwhile; may raise.
        timeout_s: the most seconds that it may take.

    Raises:
        DiskProgramError: it failed, took too long, or left too little space.
    """
    if timeout_s is not None and timeout_s <= 0:  # even a program that ends at once would be too late
        raise DiskProgramError("No time is left for it.")
    watch = _Watch(folder, alive, timeout_s)
    try:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                errors = watch.errors_of(process)
            except BaseException:
                process.kill()
                raise
    except FileNotFoundError as error:
        raise DiskProgramError(f"This host has no {command[0]}. Install it (Debian: qemu-utils).") from error
    if process.returncode:
        raise DiskProgramError(f"{command[0]}: {' '.join(errors.decode(errors='replace').split())}")


def require_space(folder: Path) -> None:
    """Check that a folder's file system isn't nearly full: that would pause the host's guests.

    Raises:
        DiskProgramError: it is.
    """
    if not usable_bytes(str(folder)):
        raise DiskProgramError(f"The file system of {folder} is nearly full. Free some space there.")


class _Watch:
    def __init__(self, folder: Path, alive: Callable[[], None], timeout_s: float | None) -> None:
        self._folder, self._alive, self._timeout_s = folder, alive, timeout_s
        self._began = self._alive_last = time.monotonic()

    def errors_of(self, process: subprocess.Popen[bytes]) -> bytes:
        """Return what a process printed as errors, once it has ended."""
        while True:
            try:
                return process.communicate(timeout=_WATCH_S)[1]
            except subprocess.TimeoutExpired:
                self._check(time.monotonic())

    def _check(self, now: float) -> None:
        require_space(self._folder)
        if self._timeout_s is not None and now - self._began > self._timeout_s:
            raise DiskProgramError(f"It took more than {self._timeout_s:.0f} s.")
        if now - self._alive_last >= ALIVE_S:
            self._alive()
            self._alive_last = now
