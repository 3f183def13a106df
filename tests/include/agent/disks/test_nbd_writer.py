"""Write to a disk that a real qemu-nbd exports."""

import os
import subprocess
from pathlib import Path

import pytest

from include.agent.disks.nbd_client import NbdError
from include.agent.disks.nbd_writer import WritableExport, all_written
from tests.include.agent.send_process import MIB, Disks


def exported(disks: Disks, image: Path, *access: str, image_format: str = "raw") -> str:
    """Export an image so that it can be written to; return the socket."""
    socket = str(disks.work_folder / "w.sock")
    options = [
        "--persistent",
        "--shared=0",
        "--fork",
        f"--socket={socket}",
        "--export-name=w",
        f"--format={image_format}",
    ]
    subprocess.run(["qemu-nbd", *options, *access, str(image)], check=True, timeout=30)
    return socket


def test_what_is_written_is_on_the_disk(disks: Disks, tmp_path: Path) -> None:
    """Many writes at once; the buffer may be reused at once."""
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
    """They read as zeros at once."""
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


def test_a_write_error_has_the_systems_reason(disks: Disks, tmp_path: Path) -> None:
    """Here the export is read-only."""
    image = tmp_path / "disk"
    image.write_bytes(bytes(MIB))
    with (
        WritableExport(exported(disks, image, "--read-only"), "w") as export,
        pytest.raises(NbdError, match=r"The disk can't be written: .*read-only"),
        all_written(export) as writes,
    ):
        writes.add(export.write(0, memoryview(b"x" * 512)))


def test_a_full_disk_is_a_write_error(disks: Disks, tmp_path: Path) -> None:
    """Here the file system has 1 MB, and the disk needs more."""
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
