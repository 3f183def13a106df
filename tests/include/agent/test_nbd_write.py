"""Writing to an exported disk, against a real qemu-nbd."""

import os
import subprocess
from pathlib import Path

import pytest

from include.agent.nbd import NbdError
from include.agent.nbd_write import WritableExport, all_written
from tests.include.agent.serving import MIB, Disks


def exported(disks: Disks, image: Path, *access: str, form: str = "raw") -> str:
    """Serve an image so that it can be written to."""
    socket = str(disks.room / "w.sock")
    how = [
        "--persistent",
        "--shared=0",
        "--fork",
        f"--socket={socket}",
        "--export-name=w",
        f"--format={form}",
    ]
    subprocess.run(["qemu-nbd", *how, *access, str(image)], check=True, timeout=30)
    return socket


def test_what_is_written_is_on_the_disk(disks: Disks, tmp_path: Path) -> None:
    """At any place, many at once; the buffer may be used again at once."""
    image, buffer, content = tmp_path / "disk", bytearray(MIB), bytearray(20 * MIB)
    image.write_bytes(content)
    with WritableExport(exported(disks, image), "w") as export, all_written(export) as writes:
        for place in range(0, 20 * MIB, MIB):
            buffer[:] = os.urandom(MIB)
            content[place : place + MIB] = buffer
            writes.add(export.write(place, memoryview(buffer)))
            buffer[:] = bytes(MIB)
    disks.end()
    assert image.read_bytes() == content


def test_zeros_become_holes(disks: Disks, tmp_path: Path) -> None:
    """Where the disk can have them; and read as zeros at once."""
    image = tmp_path / "disk"
    image.write_bytes(os.urandom(4 * MIB))
    with WritableExport(exported(disks, image, "--discard=unmap"), "w") as export:
        with all_written(export) as writes:
            writes.add(export.zero(MIB, 2 * MIB))
        read = bytearray(4 * MIB)
        export.read(0, memoryview(read)).result(30)
    disks.end()
    assert read[MIB : 3 * MIB] == bytes(2 * MIB)
    assert image.stat().st_blocks * 512 <= 2 * MIB + 65536


def test_a_disk_that_cant_be_written_says_why(disks: Disks, tmp_path: Path) -> None:
    """In the words of the system: here the export is read-only."""
    image = tmp_path / "disk"
    image.write_bytes(bytes(MIB))
    with (
        WritableExport(exported(disks, image, "--read-only"), "w") as export,
        pytest.raises(NbdError, match=r"The disk can't be written: .*read-only"),
        all_written(export) as writes,
    ):
        writes.add(export.write(0, memoryview(b"x" * 512)))


def test_a_disk_that_is_full_says_so(disks: Disks, tmp_path: Path) -> None:
    """A file system of 1 MB, and a disk that wants more."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "small", str(small)], check=True)
    try:
        (small / "disk").touch()
        os.truncate(small / "disk", 8 * MIB)
        with (
            WritableExport(exported(disks, small / "disk"), "w") as export,
            pytest.raises(NbdError, match="The disk can't be written: No space left on device"),
            all_written(export) as writes,
        ):
            writes.add(export.write(0, memoryview(b"x" * 2 * MIB)))
        disks.end()
    finally:
        subprocess.run(["umount", str(small)], check=True)
