"""Clones of disks: files that share all blocks with them, made by the host's file system in an instant.

XFS with reflink and Btrfs can do it (ioctl_ficlonerange(2)). A survey only looks for what speaks against it;
before a VM is stopped or suspended it is tried, with a file that has no name. Any doubt is a refusal: the
disks are read over NBD.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import Any

from include.agent.backup.scratch import needed_bytes, usable_bytes
from include.agent.disks.file_systems import btrfs_uuid, device_and_type
from include.agent.durable_files import fsync, fsync_all
from include.agent.errors import BackupNotBegunError

MOST_CLONED_EXTENTS = 200_000  # of all disks of a VM: they add three seconds to its downtime
_TRIED_BYTES = 1 << 20  # a multiple of any file system's block
NEARLY_FULL = "The file system of its disks is nearly full. Free some space there."
_CLONE, _READ_ONLY = ".clone", 0o400
_FILE_SYSTEMS = ("xfs", "btrfs")
_FICLONE, _FICLONERANGE, _GETFLAGS = 0x40049409, 0x4020940D, 0x80086601  # linux/fs.h
_NOCOW = 0x00800000
_FIEMAP, _FIEMAP_HEADER = 0xC020660B, "=QQLLLL"  # linux/fiemap.h: start, length, flags, mapped, count, -
_WHOLE = (1 << 64) - 1


def refusal(disks: list[dict[str, Any]], *, may_make_room: bool = False) -> str:
    """Return why the disks of a VM can't be cloned, as a phrase; an empty text if nothing speaks against it.

    Args:
        disks: as :func:`survey.vm_of` returns them.
        may_make_room: whether its reference can be dropped if there is too little space.
    """
    if other := [_other_kind(disk) for disk in disks if disk["format"] != "raw" or disk["kind"] != "file"]:
        return "; ".join(other)
    if os.geteuid() != 0:
        return "libvirt may give a disk back to root when its VM stops, and the agent isn't root"
    try:
        return _too_scattered(disks) or ("" if may_make_room else lacks_space(disks))
    except OSError as error:
        return str(error)


def flush(disks: list[dict[str, Any]]) -> None:
    """Flush disks: what isn't on the disk yet would be written while they are cloned.

    Raises:
        OSError: one can't be.
    """
    for disk in disks:
        with _named(disk):
            fsync(Path(disk["path"]))


def failed_trial(disks: list[dict[str, Any]]) -> str:
    """Try to clone the beginning of each disk, which leaves nothing; return why it fails, or an empty text.

    All of them are flushed before: what isn't on the disk yet has no extents to count, and the clone, which
    flushes it too, would keep the VM down for that long.

    Args:
        disks: those that :func:`refusal` has nothing against.
    """
    try:
        flush(disks)
        if scattered := _too_scattered(disks):
            return scattered
        for disk in disks:
            with _named(disk):
                _try(disk["path"], folder_of(disk))
    except OSError as error:
        return str(error)
    return ""


def lacks_space(disks: list[dict[str, Any]]) -> str:
    """Return which file system has too little space for what the guest overwrites while clones exist.

    Args:
        disks: as :func:`survey.vm_of` returns them.

    Raises:
        OSError: a disk's folder can't be read.
    """
    need: dict[str, int] = {}
    for disk in disks:
        folder = folder_of(disk)
        with _opened(folder) as opened:
            device, _ = device_and_type(opened)
        need[device] = need.get(device, 0) + disk["bytes"]
        if usable_bytes(str(folder)) < needed_bytes(need[device]):
            return f"{folder} has too little free space for what the guest overwrites meanwhile"
    return ""


def clone(disk: dict[str, Any], folder: Path) -> dict[str, str]:
    """Clone a disk.

    Args:
        disk: the disk, of a VM that is off or suspended.
        folder: a folder on its file system.

    Returns:
        ``name``, ``format`` and ``path`` of the clone, whose mode is 0400; it isn't on the disk yet.

    Raises:
        BackupNotBegunError: it can't be cloned.
    """
    target = folder / f"{disk['name']}{_CLONE}"
    try:
        with _opened(disk["path"]) as source, _opened(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as made:
            ioctl(made, _FICLONE, source)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BackupNotBegunError(NEARLY_FULL) from error
        raise BackupNotBegunError(f"{disk['name']} ({disk['path']}) can't be cloned: {error}.") from error
    return {"name": disk["name"], "format": disk["format"], "path": str(target)}


def are_all_in(folder: Path) -> bool:
    """Return whether a folder contains nothing but clones, as :func:`clone` makes them; it may be empty.

    One that somebody made a disk of has another mode; a folder of another account can't be read.
    """
    try:
        found = {path.name: path.lstat().st_mode for path in folder.iterdir()}
    except OSError:
        return False
    return all(name.endswith(_CLONE) and stat.S_IMODE(mode) == _READ_ONLY for name, mode in found.items())


def sync(folders: list[Path]) -> None:
    """Flush clones and their names to the disk, which is done before they are read.

    Raises:
        OSError: they can't be written.
    """
    for folder in folders:
        fsync_all(folder)


def folder_of(disk: dict[str, Any]) -> Path:
    """Return the folder that a disk's file lies in, whatever links lead to it."""
    return Path(os.path.realpath(disk["path"])).parent


def _other_kind(disk: dict[str, Any]) -> str:
    kind = "a block device" if disk["kind"] == "block" else disk["format"]
    return f"{disk['name']}: {kind}, not a raw file"


def _too_scattered(disks: list[dict[str, Any]]) -> str:
    extents = sum(map(_extents, disks))
    if extents <= MOST_CLONED_EXTENTS:
        return ""
    return f"{extents:,} extents, more than {MOST_CLONED_EXTENTS:,}: to clone them would take too long"


def _extents(disk: dict[str, Any]) -> int:
    """Return how many extents a disk's file has.

    Raises:
        OSError: it can't be read, or isn't one that can be cloned.
    """
    with _named(disk), _opened(disk["path"]) as source:
        _require_fit(source)
        header = struct.pack(_FIEMAP_HEADER, 0, _WHOLE, 0, 0, 0, 0)
        return int(struct.unpack(_FIEMAP_HEADER, ioctl(source, _FIEMAP, header))[3])


@contextmanager
def _named(disk: dict[str, Any]) -> Iterator[None]:
    """Have an error name the disk."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{disk['name']}: {error.strerror or error}") from error


def _require_fit(source: int) -> None:
    if not stat.S_ISREG(os.fstat(source).st_mode):
        raise OSError("not a regular file")
    _, kind = device_and_type(source)
    if kind not in _FILE_SYSTEMS:
        raise OSError(f"on {kind or 'an unknown file system'}, not on XFS or Btrfs")
    if kind == "btrfs" and _has_quota(source):  # QEMU pauses a guest when space runs out, not beyond a quota
        raise OSError("on a Btrfs with quota limits, beyond which the guest's writes would fail")
    if int.from_bytes(ioctl(source, _GETFLAGS, bytes(8))[:4], "little") & _NOCOW:
        raise OSError("exempt from copy-on-write (chattr +C)")


def _try(path: str, folder: Path) -> None:
    with _opened(path) as source, _opened(folder, os.O_WRONLY | os.O_TMPFILE) as made:
        length = _TRIED_BYTES if os.fstat(source).st_size > _TRIED_BYTES else 0  # 0: all of it
        try:
            ioctl(made, _FICLONERANGE, struct.pack("=qQQQ", source, 0, length, 0))
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                raise OSError("on a file system without reflink") from error
            raise


def _has_quota(source: int) -> bool:
    """Return whether any subvolume of a Btrfs has a limit (kernels since 5.9 show it)."""
    limits = Path(f"/sys/fs/btrfs/{btrfs_uuid(source)}/qgroups").glob("*/limit_flags")
    return any(int(limit.read_text(encoding="ascii")) for limit in limits)


@contextmanager
def _opened(path: str | Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    opened = os.open(path, flags, _READ_ONLY)
    try:
        yield opened
    finally:
        os.close(opened)
