"""A guest in one sector, for tests that start it often: boots at once, and obeys its power button.

It counts its boots in the disk's second sector, prints on the serial console that it's ready, sleeps, and
powers off when the button is pressed (ACPI; the addresses are the PIIX4's in QEMU's ``pc`` machine), unless
it's a stubborn one. One that is to boot several times resets itself until then, as after an update.
"""

import struct
from pathlib import Path

_SECTOR = 512
_LOADED_AT = 0x7C00  # where a BIOS puts it
_READY = b"guest: ready\r\n\0"
_CODE_BYTES = 83
_TEXT = _LOADED_AT + _CODE_BYTES
_PLACE = _TEXT + len(_READY)


def _word(number: int) -> bytes:
    return struct.pack("<H", number)


_OBEY = (
    b"\xba\x02\x06\xb8\x00\x01\xef"  # PM1_EN: power button
    b"\xf4\xba\x00\x06\xed\xf6\xc4\x01\x74\xf6"  # sleep until PM1_STS says that it's pressed
    b"\xba\x04\x06\xb8\x00\x20\xef"  # PM1_CNT: off
)
_STUBBORN = b"\x90" * len(_OBEY)  # nothing


def _code(boots: int, *, stubborn: bool) -> bytes:
    parts = (
        b"\xfa\x31\xc0\x8e\xd8\x8e\xd0\xbc" + _word(_LOADED_AT) + b"\xfb",  # DS = SS = 0, a stack
        b"\xbe" + _word(_PLACE) + b"\xb4\x42\xcd\x13",  # INT 13h: read the second sector
        b"\xff\x06" + _word(_LOADED_AT + _SECTOR),  # count this boot
        b"\xbe" + _word(_PLACE) + b"\xb8\x00\x43\xcd\x13",  # INT 13h: write it back
        b"\x83\x3e" + _word(_LOADED_AT + _SECTOR) + bytes([boots]),  # the last one?
        b"\x73\x05\xb0\xfe\xe6\x64\xf4",  # if not, reset by the keyboard's controller
        b"\xbe" + _word(_TEXT) + b"\xba\xf8\x03",  # the serial console's port
        b"\xac\x84\xc0\x74\x03\xee\xeb\xf8",  # print each byte up to a zero
        _STUBBORN if stubborn else _OBEY,
        b"\xf4\xeb\xfd",  # sleep
    )
    return b"".join(parts)


_SECOND_SECTOR = struct.pack(
    "<BBHHHQ", 16, 0, 1, _LOADED_AT + _SECTOR, 0, 1
)  # the disk address packet of INT 13h


_FLOOD_SECTORS = 127  # INT 13h: the most at once
_FLOOD_PLACE = _LOADED_AT + 32
_FLOOD = b"".join(
    (
        b"\xfa\x31\xc0\x8e\xd8\x8e\xd0\xbc" + _word(_LOADED_AT) + b"\xfb",
        b"\xbe" + _word(_FLOOD_PLACE) + b"\xb8\x00\x43\xcd\x13",  # INT 13h: write
        b"\x83\x06" + _word(_FLOOD_PLACE + 8) + bytes([_FLOOD_SECTORS]),  # the next sectors
        b"\x83\x16" + _word(_FLOOD_PLACE + 10) + b"\x00",
        b"\xeb\xec",
    )
)


def write_flood(disk: Path) -> None:
    """Write the boot sector of a guest that does nothing but fill its disk, as fast as it can."""
    packet = struct.pack("<BBHHHQ", 16, 0, _FLOOD_SECTORS, 0, 0x1000, 1)
    with disk.open("r+b") as image:
        image.write((_FLOOD.ljust(32, b"\xf4") + packet).ljust(_SECTOR - 2, b"\0") + b"\x55\xaa")


def write(disk: Path, boots: int = 1, *, stubborn: bool = False) -> None:
    """Write the boot sector to a raw disk, without harm to a file system (ext4 leaves 1 KiB free).

    Args:
        disk: the disk's file.
        boots: how often it boots before it's ready.
        stubborn: whether it ignores the power button.
    """
    program = _code(boots, stubborn=stubborn) + _READY + _SECOND_SECTOR
    with disk.open("r+b") as image:
        image.write(program.ljust(_SECTOR - 2, b"\0") + b"\x55\xaa")


def boots(disk: bytes) -> int:
    """Return how often a disk was booted."""
    return int(struct.unpack_from("<H", disk, _SECTOR)[0])
