"""A guest in one sector, for tests that start it again and again: up in a moment, and obeys its power button.

It counts its boots in the disk's second sector, says on the serial console that it's ready, sleeps, and
powers off when the button is pressed (ACPI; the addresses are the PIIX4's in QEMU's ``pc`` machine). One that
is to be booted more often resets itself until then, as after an update.
"""

import struct
from pathlib import Path

_SECTOR = 512
_LOADED_AT = 0x7C00  # where a BIOS puts it
_READY = b"guest: ready\r\n\0"
_CODE_BYTES = 83
_SAID = _LOADED_AT + _CODE_BYTES
_PLACE = _SAID + len(_READY)


def _word(number: int) -> bytes:
    return struct.pack("<H", number)


def _code(boots: int) -> bytes:
    parts = (
        b"\xfa\x31\xc0\x8e\xd8\x8e\xd0\xbc" + _word(_LOADED_AT) + b"\xfb",  # DS = SS = 0, a stack
        b"\xbe" + _word(_PLACE) + b"\xb4\x42\xcd\x13",  # INT 13h: read the second sector
        b"\xff\x06" + _word(_LOADED_AT + _SECTOR),  # count this boot
        b"\xbe" + _word(_PLACE) + b"\xb8\x00\x43\xcd\x13",  # INT 13h: write it back
        b"\x83\x3e" + _word(_LOADED_AT + _SECTOR) + bytes([boots]),  # the last one?
        b"\x73\x05\xb0\xfe\xe6\x64\xf4",  # if not, reset by the keyboard's controller
        b"\xbe" + _word(_SAID) + b"\xba\xf8\x03",  # the serial console's port
        b"\xac\x84\xc0\x74\x03\xee\xeb\xf8",  # say each byte, up to a zero
        b"\xba\x02\x06\xb8\x00\x01\xef",  # PM1_EN: power button
        b"\xf4\xba\x00\x06\xed\xf6\xc4\x01\x74\xf6",  # sleep until PM1_STS says that it's pressed
        b"\xba\x04\x06\xb8\x00\x20\xef",  # PM1_CNT: off
        b"\xf4\xeb\xfd",
    )
    return b"".join(parts)


_SECOND_SECTOR = struct.pack("<BBHHHQ", 16, 0, 1, _LOADED_AT + _SECTOR, 0, 1)  # what INT 13h is to read


def write(disk: Path, boots: int = 1) -> None:
    """Put it onto a raw disk; a file system there (ext4 leaves 1 KiB free for this) stays as it is.

    Args:
        disk: the disk's file.
        boots: how often it's booted before it's ready.
    """
    program = _code(boots) + _READY + _SECOND_SECTOR
    with disk.open("r+b") as image:
        image.write(program.ljust(_SECTOR - 2, b"\0") + b"\x55\xaa")


def boots(disk: bytes) -> int:
    """Give how often it was booted from a disk."""
    return int(struct.unpack_from("<H", disk, _SECTOR)[0])
