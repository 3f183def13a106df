"""The file systems in an image: was each ext file system cleanly unmounted, by its superblock?

The whole disk and its partitions are inspected; partx(8) reads the partition table. Of ext, the superblock is
read (the kernel's Documentation/filesystems/ext4/super.rst); others are recognized by the signatures that
libblkid uses.
"""

import os
import struct
import subprocess
import uuid
from pathlib import Path

from include.models import Model
from include.names import shown

SECTOR_SIZES = (512, 4096)  # which one a disk has isn't written on it
WHOLE_DISK = "whole disk"

PARTX = ("partx", "--show", "--noheadings", "--output=NR,START")
_PARTX_UNIT = 512  # bytes; partx counts in these whatever the disk's sectors are
_NO_TABLE = "failed to read partition table"  # partx's message where there is none that it knows

_SUPERBLOCK_AT, _SUPERBLOCK_BYTES, _EXT_MAGIC = 1024, 1024, 0xEF53
_VALID, _ERRORS = 0x1, 0x2  # s_state
_HAS_JOURNAL = 0x4  # s_feature_compat
_RECOVER, _JOURNAL_DEVICE, _EXT4_ONLY = 0x4, 0x8, 0x2C0  # s_feature_incompat; extents, 64bit, flex_bg
_LARGEST_BLOCK, _NEWEST_REVISION = 6, 1  # 64 KiB; no superblock has more
_SIGNATURES = (
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x10040, b"_BHRfS_M"),
    ("ntfs", 3, b"NTFS    "),
    ("vfat", 54, b"FAT1"),
    ("vfat", 82, b"FAT32"),
    ("LUKS", 0, b"LUKS\xba\xbe"),
    ("LVM", 512, b"LABELONE"),
    ("swap", 4086, b"SWAPSPACE2"),
)


class FileSystem(Model):
    """A file system, or whatever else fills a partition.

    Args:
        place: ``whole disk`` or ``partition 2``; ``partitions`` where the table couldn't be read.
        kind: such as ``ext4``; ``unknown`` where the table couldn't be read.
        uuid: of an ext file system.
        label: of an ext file system, unescaped.
        clean: whether it was cleanly unmounted; None where that isn't checked, as for everything but ext.
        description: the same as a sentence.
    """

    place: str
    kind: str
    uuid: str | None = None
    label: str = ""
    clean: bool | None
    description: str


def inspect(image: Path) -> list[FileSystem]:
    """Return the file systems found in a raw image; none where its content isn't recognized."""
    partitions, problem = _partitions(image)
    with image.open("rb", buffering=0) as file:
        places = [(WHOLE_DISK, 0), *partitions]
        found = [_file_system(file.fileno(), place, start) for place, start in places]
    return [file_system for file_system in found if file_system] + (
        [_not_checked(problem)] if problem else []
    )


def _partitions(image: Path) -> tuple[list[tuple[str, int]], str]:
    """Return each partition's place and first byte, and why partitions weren't checked, if they weren't."""
    for sector_bytes in SECTOR_SIZES:
        command = [*PARTX, f"--sector-size={sector_bytes}", "--", str(image)]
        try:
            done = subprocess.run(
                command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}
            )
        except OSError as error:
            return [], f"partx can't be run: {error.strerror}"
        errors = done.stderr.decode("utf-8", "backslashreplace").strip()
        if done.returncode and _NO_TABLE not in errors:
            return [], f"partx ended with status {done.returncode}: {shown(errors)}"
        if rows := [line.split() for line in done.stdout.splitlines()]:
            return [(f"partition {int(number)}", int(start) * _PARTX_UNIT) for number, start in rows], ""
    return [], ""


def _not_checked(problem: str) -> FileSystem:
    description = f"partitions: not checked, since {problem}."
    return FileSystem(place="partitions", kind="unknown", clean=None, description=description)


def _file_system(file: int, place: str, start: int) -> FileSystem | None:
    superblock = os.pread(file, _SUPERBLOCK_BYTES, start + _SUPERBLOCK_AT)
    return _ext(superblock, place) or _other(file, place, start)


def _ext(block: bytes, place: str) -> FileSystem | None:
    if len(block) < _SUPERBLOCK_BYTES or _number("H", block, 0x38) != _EXT_MAGIC:
        return None
    inodes, blocks, block_size = (_number("I", block, at) for at in (0x00, 0x04, 0x18))
    revision, compatible, incompatible = (_number("I", block, at) for at in (0x4C, 0x5C, 0x60))
    if not inodes or not blocks or block_size > _LARGEST_BLOCK or revision > _NEWEST_REVISION:
        return None  # other data that happen to contain the magic number
    if incompatible & _JOURNAL_DEVICE:
        return None
    problem = _problem(_number("H", block, 0x3A), incompatible)
    kind = "ext4" if incompatible & _EXT4_ONLY else "ext3" if compatible & _HAS_JOURNAL else "ext2"
    label = block[0x78:0x88].rstrip(b"\0").decode("utf-8", "backslashreplace")
    name = f"{place}, {kind}{f' {shown(label)}' if label else ''}"
    return FileSystem(
        place=place,
        kind=kind,
        uuid=str(uuid.UUID(bytes=block[0x68:0x78])),
        label=label,
        clean=not problem,
        description=f"{name}: {problem or 'cleanly unmounted'}.",
    )


def _problem(state: int, incompatible: int) -> str | None:
    if state & _ERRORS:
        return "its kernel noted errors in it; check it with e2fsck in the VM"
    if incompatible & _RECOVER:
        return "in use; its journal is replayed at the next mount"
    if not state & _VALID:
        return "not cleanly unmounted"
    return None


def _other(file: int, place: str, start: int) -> FileSystem | None:
    for kind, offset, signature in _SIGNATURES:
        if os.pread(file, len(signature), start + offset) == signature:
            description = f"{place}, {kind}: not checked for a clean unmount."
            return FileSystem(place=place, kind=kind, clean=None, description=description)
    return None


def _number(kind: str, block: bytes, at: int) -> int:
    number: int = struct.unpack_from(f"<{kind}", block, at)[0]
    return number
