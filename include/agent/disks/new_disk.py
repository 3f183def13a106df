"""A disk that is being restored: made from the old one, then written to, then read back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from include.agent.disks import disk_program, exports, qcow2_options
from include.agent.disks.nbd_client import Export
from include.agent.disks.nbd_writer import WritableExport
from include.agent.durable_files import fsync
from include.agent.errors import BackupNotBegunError, NotRestoredError
from include.agent.restore.disk_place import DiskPlace

_WRITABLE = ("--discard=unmap",)  # zeros become holes
_NO_CACHE = "--cache=none"  # O_DIRECT


def make(target: DiskPlace, alive: Callable[[], None]) -> None:
    """Make a new disk, unless an earlier attempt made it already.

    It starts with the old disk's content, so that only what differs must be transferred: as an overlay on the
    old disk if that is to be overwritten, else as a copy of it, which takes no time if the file system shares
    blocks. An old disk with backing files is copied to one without. One that is made anew is QCOW2 with the
    options that the backed up one had.

    Args:
        target: where it goes.
        alive: called every few seconds meanwhile.

    Raises:
        NotRestoredError: it can't be made; the message says why.
    """
    if target.device or os.path.lexists(target.new):
        return
    part = target.new.with_name(f"{target.new.name}.copying")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)  # before there is anything in it that others could read
    try:
        for command in (*_commands(target, part), ["sync", "--", str(part)]):
            _run(command, part, alive)
    except BaseException:
        part.unlink(missing_ok=True)  # it may be what fills the disk; qemu-img removes some itself
        raise
    part.rename(target.new)
    fsync(target.new.parent)


def _commands(target: DiskPlace, part: Path) -> Iterator[list[str]]:
    """Yield the commands that make a new disk."""
    disk, paths = target.disk, ["--", str(target.place), str(part)]
    options = qcow2_options.arguments(qcow2_options.possible(disk.qcow2, disk.bytes)) if target.anew else []
    if target.overlay:
        backing = ["-F", target.base, "-b", str(target.place)]
        yield ["qemu-img", "create", "-q", "-f", "qcow2", *backing, "--", str(part)]
    elif not target.base:
        yield ["qemu-img", "create", "-q", "-f", disk.format, *options, "--", str(part), str(disk.bytes)]
    elif target.copied:
        yield ["cp", "--reflink=auto", "--sparse=auto", *paths]
    else:
        yield ["qemu-img", "convert", "-f", target.base, "-O", disk.format, *options, *paths]
    if target.base and target.base_bytes != disk.bytes:
        size = ["--shrink", "--", str(part), str(disk.bytes)]
        yield ["qemu-img", "resize", "-q", "-f", disk.format, *size]


@contextmanager
def writable(target: DiskPlace, work_folder: Path) -> Iterator[tuple[WritableExport, bool]]:
    """Open a new disk for writing; yield it, and whether reads of it bypass the page cache.

    Raises:
        NotRestoredError: it can't be opened.
        NbdError: from reads and writes in the block.
    """
    socket, bypasses_cache = _start_server(target, work_folder, _WRITABLE)
    try:
        with WritableExport(socket, target.disk.name) as export:
            _require_size(export, target)
            yield export, bypasses_cache
    finally:
        exports.end_processes(str(work_folder))


@contextmanager
def uncached(target: DiskPlace, work_folder: Path) -> Iterator[Export]:
    """Open a new disk for reading what is on the disk itself, past the page cache.

    Raises:
        NotRestoredError: it can't be opened.
    """
    drop_from_cache(target.new)
    if target.overlay:
        drop_from_cache(target.place)
    socket, _ = _start_server(target, work_folder, exports.READ_ONLY)
    try:
        with Export(socket, target.disk.name) as read_only:
            yield read_only
    finally:
        exports.end_processes(str(work_folder))
    fsync(target.new.parent)


def drop_from_cache(path: Path) -> None:
    """Flush a file to the disk and drop it from the page cache, so that it is read from the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _start_server(target: DiskPlace, work_folder: Path, options: tuple[str, ...]) -> tuple[str, bool]:
    """Start qemu-nbd without the page cache, or with it if the file system lacks O_DIRECT.

    Returns:
        the socket, and whether the page cache is bypassed.
    """
    export = {"name": target.disk.name, "format": target.new_format, "path": str(target.new)}
    with suppress(BackupNotBegunError):
        return str(exports.start_nbd_servers([export], work_folder, (*options, _NO_CACHE))[0]["socket"]), True
    try:
        return str(exports.start_nbd_servers([export], work_folder, options)[0]["socket"]), False
    except BackupNotBegunError as error:
        raise NotRestoredError(str(error)) from error


def _require_size(export: Export, target: DiskPlace) -> None:
    if export.bytes < target.disk.bytes or (export.bytes > target.disk.bytes and not target.device):
        raise NotRestoredError(
            f"{target.new} has {export.bytes:,} bytes instead of {target.disk.bytes:,}. Remove it, and "
            "try again."
        )


def _run(command: list[str], part: Path, alive: Callable[[], None]) -> None:
    try:
        disk_program.run(command, part.parent, alive)
    except disk_program.DiskProgramError as error:
        raise NotRestoredError(f"{part} can't be made: {error} The VM wasn't touched.") from error
