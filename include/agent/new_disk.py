"""A disk that is being restored: begun with a copy of what is there, written to, and read back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import exports
from .errors import NotFrozenError, NotRestoredError
from .folder import sync_folder
from .nbd import Export
from .nbd_write import WritableExport
from .target import Target

ALIVE_S = 10.0
_WRITABLE = ("--discard=unmap",)  # zeros become holes
_PAST_THE_CACHE = "--cache=none"


def make(target: Target, alive: Callable[[], None]) -> None:
    """Begin a new disk; what a try before began is gone on with.

    It begins with what is at its place, so that only what differs has to come: as an overlay on top of that
    where it's to go, else as a copy of it, at once where the file system shares blocks. A disk on top of
    others becomes one that needs no other.

    Args:
        target: its place.
        alive: called every few seconds meanwhile.

    Raises:
        NotRestoredError: it can't be made; says why.
    """
    if target.device or os.path.lexists(target.new):
        return
    part = target.new.with_name(f"{target.new.name}.copying")
    with suppress(FileNotFoundError):
        part.unlink()
    disk, base = target.disk, ["--", str(target.place), str(part)]
    if target.overlay:
        below = ["-F", target.base, "-b", str(target.place)]
        _run(["qemu-img", "create", "-q", "-f", "qcow2", *below, "--", str(part)], alive)
    elif not target.base:
        _run(["qemu-img", "create", "-q", "-f", disk.format, "--", str(part), str(disk.bytes)], alive)
    elif target.flat and target.base == disk.format:
        _run(["cp", "--reflink=auto", "--sparse=auto", *base], alive)
    else:
        _run(["qemu-img", "convert", "-f", target.base, "-O", disk.format, *base], alive)
    if target.base and target.base_bytes != disk.bytes:
        _run(
            ["qemu-img", "resize", "-q", "-f", disk.format, "--shrink", "--", str(part), str(disk.bytes)],
            alive,
        )
    part.chmod(0o600)
    part.rename(target.new)


@contextmanager
def writable(target: Target, room: Path) -> Iterator[tuple[WritableExport, bool]]:
    """Have a new disk open for writing, for a block; tells whether it's read past the page cache.

    Raises:
        NotRestoredError: it can't be opened.
        NbdError: what can't be read or written; from a block that does.
    """
    socket, from_disk = _served(target, room, _WRITABLE)
    try:
        with WritableExport(socket, target.disk.name) as export:
            _require_size(export, target)
            yield export, from_disk
    finally:
        exports.end_processes(str(room))


@contextmanager
def from_the_disk(target: Target, room: Path) -> Iterator[Export]:
    """Have a new disk open as it is on the disk itself, past the page cache.

    Raises:
        NotRestoredError: it can't be opened.
    """
    out_of_the_cache(target.new)
    if target.overlay:
        out_of_the_cache(target.place)
    socket, _ = _served(target, room, exports.READ_ONLY)
    try:
        with Export(socket, target.disk.name) as read_only:
            yield read_only
    finally:
        exports.end_processes(str(room))
    sync_folder(target.new.parent)


def out_of_the_cache(path: Path) -> None:
    """Have all of a file on the disk, so that what is read of it comes from there."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _served(target: Target, room: Path, access: tuple[str, ...]) -> tuple[str, bool]:
    """Serve a disk past the page cache, or through it where its file system can't (O_DIRECT); tells which."""
    wanted = {"name": target.disk.name, "format": target.new_format, "path": str(target.new)}
    with suppress(NotFrozenError):
        return str(exports.serve_files([wanted], room, (*access, _PAST_THE_CACHE))[0]["socket"]), True
    try:
        return str(exports.serve_files([wanted], room, access)[0]["socket"]), False
    except NotFrozenError as error:
        raise NotRestoredError(str(error)) from error


def _require_size(export: Export, target: Target) -> None:
    if export.bytes < target.disk.bytes or (export.bytes > target.disk.bytes and not target.device):
        raise NotRestoredError(
            f"{target.new} has {export.bytes:,} bytes, and should have {target.disk.bytes:,}. Remove it, and "
            "try again."
        )


def _run(words: list[str], alive: Callable[[], None]) -> None:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            while True:
                try:
                    _, said = process.communicate(timeout=ALIVE_S)
                    break
                except subprocess.TimeoutExpired:
                    alive()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise NotRestoredError(
            f"{words[0]} failed: {' '.join(said.decode(errors='replace').split())} The machine is untouched."
        )
