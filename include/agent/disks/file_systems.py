"""Which file system an open file lies on."""

from __future__ import annotations

import os
import struct
from fcntl import ioctl
from pathlib import Path
from uuid import UUID

BTRFS_FS_INFO, BTRFS_FSID = 0x8400941F, slice(16, 32)  # linux/btrfs.h: of 1024 bytes
_XFS_GEOMETRY, _XFS_BYTES = 0x80705864, 112  # xfs_fs.h: XFS_IOC_FSGEOMETRY_V1
_XFS_REALTIME, _XFS_UUID = 40, slice(64, 80)  # its rtblocks, and its uuid


def device_and_type(opened: int) -> tuple[str, str]:
    """Return the device and type of the file system of an open file, such as ``8:1`` and ``xfs``.

    A Btrfs file's own device is that of its subvolume.
    """
    with open(f"/proc/self/fdinfo/{opened}", encoding="ascii") as lines:  # noqa: PTH123
        mount = next((line.split()[1] for line in lines if line.startswith("mnt_id:")), "")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
        for line in lines:  # proc(5): the type is the first field after the hyphen
            if line.split()[0] == mount:
                return line.split()[2], line.partition(" - ")[2].split()[0]
    return "", ""


def mapped_file_system(opened: int) -> str:
    """Return the type and UUID of an open file's file system, whose extents say where its data lie.

    Raises:
        OSError: it's neither a Btrfs nor an XFS without realtime section, which is another device.
    """
    kind = device_and_type(opened)[1]
    if kind == "btrfs":
        return f"btrfs {btrfs_uuid(opened)}"
    if kind != "xfs":
        raise OSError(f"on {kind or 'an unknown file system'}, not on XFS or Btrfs")
    geometry = ioctl(opened, _XFS_GEOMETRY, bytes(_XFS_BYTES))
    if struct.unpack_from("=Q", geometry, _XFS_REALTIME)[0]:
        raise OSError("on an XFS with a realtime section")
    return f"xfs {UUID(bytes=geometry[_XFS_UUID])}"


def is_mounted(path: str, file_system: str) -> bool:
    """Return whether a path, or what is left of it, lies on a file system that is mounted there.

    Args:
        path: of a file or folder, which may be gone.
        file_system: its type and UUID, as :func:`mapped_file_system` returns them.
    """
    left = next(parent for parent in (Path(path), *Path(path).parents) if parent.exists())
    try:
        opened = os.open(left, os.O_RDONLY)
    except OSError:
        return False
    try:
        return mapped_file_system(opened) == file_system
    except OSError:
        return False
    finally:
        os.close(opened)


def btrfs_uuid(opened: int) -> UUID:
    """Return the UUID of a Btrfs."""
    return UUID(bytes=ioctl(opened, BTRFS_FS_INFO, bytes(1024))[BTRFS_FSID])
