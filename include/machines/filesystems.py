"""File systems in an image, by their superblocks: was each ext file system cleanly unmounted?

Looked at are the whole disk and its partitions, of MBR (logical ones too) and of GPT. Layouts: the kernel's
Documentation/filesystems/ext4/super.rst; UEFI specification, "GUID Partition Table"; for what is no ext, the
signatures that libblkid knows.
"""

import os
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

from include.facts import Facts
from include.names import shown

SECTOR, SECTOR_SIZES = 512, (512, 4096)
MOST_PARTITIONS = 256
WHOLE_DISK = "whole disk"

_SUPERBLOCK_AT, _SUPERBLOCK_BYTES, _EXT_MAGIC = 1024, 1024, 0xEF53
_VALID, _ERRORS = 0x1, 0x2  # s_state
_HAS_JOURNAL = 0x4  # s_feature_compat
_RECOVER, _JOURNAL_DEVICE, _EXT4_ONLY = 0x4, 0x8, 0x2C0  # s_feature_incompat; extents, 64bit, flex_bg
_LARGEST_BLOCK, _NEWEST_REVISION = 6, 1  # 64 KiB; what no superblock goes beyond
_LINKS, _PROTECTIVE = (0x05, 0x0F, 0x85), 0xEE  # MBR types: extended partitions, and GPT behind it
_OTHERS = (
    ("xfs", 0, b"XFSB"),
    ("btrfs", 0x10040, b"_BHRfS_M"),
    ("ntfs", 3, b"NTFS    "),
    ("vfat", 54, b"FAT1"),
    ("vfat", 82, b"FAT32"),
    ("LUKS", 0, b"LUKS\xba\xbe"),
    ("LVM", 512, b"LABELONE"),
    ("swap", 4086, b"SWAPSPACE2"),
)


class FileSystem(Facts):
    """A file system, or what else fills a partition.

    Args:
        place: ``whole disk`` or ``partition 2``.
        kind: such as ``ext4``.
        uuid: of an ext file system.
        label: of an ext file system, as it stands there.
        clean: whether it was cleanly unmounted; None where that isn't looked at: all that is no ext.
        told: the same as a sentence.
    """

    place: str
    kind: str
    uuid: str | None = None
    label: str = ""
    clean: bool | None
    told: str


def found(image: Path) -> list[FileSystem]:
    """Give what is known of the file systems in a raw image; in what isn't understood, none are found."""
    with image.open("rb", buffering=0) as file:
        places = [(WHOLE_DISK, 0), *_partitions(file.fileno())]
        seen = (_seen(file.fileno(), place, start) for place, start in places)
        return [file_system for file_system in seen if file_system]


def _seen(file: int, place: str, start: int) -> FileSystem | None:
    return _ext(_bytes(file, _SUPERBLOCK_BYTES, start + _SUPERBLOCK_AT), place) or _other(file, place, start)


def _ext(block: bytes, place: str) -> FileSystem | None:
    if len(block) < _SUPERBLOCK_BYTES or _number("H", block, 0x38) != _EXT_MAGIC:
        return None
    inodes, blocks, block_size = (_number("I", block, at) for at in (0x00, 0x04, 0x18))
    revision, compatible, incompatible = (_number("I", block, at) for at in (0x4C, 0x5C, 0x60))
    if not inodes or not blocks or block_size > _LARGEST_BLOCK or revision > _NEWEST_REVISION:
        return None  # somebody's data that happen to hold the magic number
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
        told=f"{name}: {problem or 'cleanly unmounted'}.",
    )


def _problem(state: int, incompatible: int) -> str | None:
    if state & _ERRORS:
        return "its kernel noted errors in it; check it with e2fsck in the machine"
    if incompatible & _RECOVER:
        return "in use; what its journal holds is put in place at the next mount"
    if not state & _VALID:
        return "not cleanly unmounted"
    return None


def _other(file: int, place: str, start: int) -> FileSystem | None:
    for kind, offset, signature in _OTHERS:
        if _bytes(file, len(signature), start + offset) == signature:
            told = f"{place}, {kind}: whether it was cleanly unmounted isn't checked."
            return FileSystem(place=place, kind=kind, clean=None, told=told)
    return None


def _partitions(file: int) -> Iterator[tuple[str, int]]:
    """Give each partition's place and first byte."""
    entries = _mbr_entries(file, 0)
    starts = _gpt(file) if any(kind == _PROTECTIVE for kind, _ in entries) else _mbr(file, entries)
    for number, start in starts:
        yield f"partition {number}", start


def _mbr_entries(file: int, at: int) -> list[tuple[int, int]]:
    """Give the type and the first sector of a boot record's four entries; none where it is none."""
    record = _bytes(file, SECTOR, at)
    if record[510:] != b"\x55\xaa":
        return []
    return [(record[entry + 4], _number("I", record, entry + 8)) for entry in range(446, 510, 16)]


def _mbr(file: int, entries: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for number, (kind, start) in enumerate(entries, start=1):
        if kind in _LINKS:
            yield from enumerate(_logical(file, start), start=5)
        elif kind and start:
            yield number, start * SECTOR


def _logical(file: int, extended: int) -> Iterator[int]:
    """Follow an extended partition's chain of boot records; one that bites its tail ends."""
    at = extended
    for _ in range(MOST_PARTITIONS):
        entries = _mbr_entries(file, at * SECTOR)
        if not entries:
            return
        (kind, start), (link, further) = entries[:2]
        if kind and start:
            yield (at + start) * SECTOR
        if link not in _LINKS or not further:
            return
        at = extended + further


def _gpt(file: int) -> Iterator[tuple[int, int]]:
    for sector in SECTOR_SIZES:
        header = _bytes(file, 92, sector)
        if len(header) == 92 and header.startswith(b"EFI PART"):  # noqa: PLR2004 - the header's own size
            first = _number("Q", header, 72) * sector
            count, size = _number("I", header, 80), _number("I", header, 84)
            for number in range(1, min(count, MOST_PARTITIONS) + 1):
                entry = _bytes(file, 48, first + (number - 1) * size)
                if len(entry) == 48 and any(entry[:16]):  # noqa: PLR2004 - type, own GUID, first and last sector
                    yield number, _number("Q", entry, 32) * sector
            return


def _bytes(file: int, count: int, at: int) -> bytes:
    # A damaged table leads anywhere, beyond what the kernel takes as an offset too.
    return os.pread(file, count, at) if at < os.fstat(file).st_size else b""


def _number(kind: str, block: bytes, at: int) -> int:
    number: int = struct.unpack_from(f"<{kind}", block, at)[0]
    return number
