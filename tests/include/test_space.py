"""Room is measured as the file system says, and insisted on with the reserve left over."""

import os
from pathlib import Path

import pytest

from include.errors import NoSpaceError
from include.space import Room

GB = 10**9
ROOM = Room(Path("/vault"), total_bytes=100 * GB, free_bytes=50 * GB, free_files=1000)


def test_room_is_what_the_file_system_says(tmp_path: Path) -> None:
    """In bytes, not in blocks."""
    seen, room = os.statvfs(tmp_path), Room.of(tmp_path)
    assert room.path == tmp_path
    assert room.total_bytes == seen.f_blocks * seen.f_frsize
    assert 0 < room.free_bytes <= room.total_bytes
    assert room.free_files > 0


@pytest.mark.parametrize(
    ("need", "files", "reserve"), [(0, 0, 0), (50 * GB, 1000, 0), (30 * GB, 0, 20 * GB), (0, 0, 50 * GB)]
)
def test_room_to_the_last_byte_is_enough(need: int, files: int, reserve: int) -> None:
    """The reserve included."""
    ROOM.require(need, files, reserve)


@pytest.mark.parametrize(
    ("need", "reserve", "told"),
    [
        (30 * GB + 1, 20 * GB, "30 GB for the copy and 20 GB in reserve|1 B (1 bytes)"),
        (512 * GB, 0, "512 GB for the copy and 0 B in reserve|462 GB (462,000,000,000 bytes)"),
        (0, 50 * GB + 1000, "0 B for the copy and 50 GB in reserve|1.0 kB (1,000 bytes)"),
    ],
)
def test_what_is_missing_is_told_to_the_byte(need: int, reserve: int, told: str) -> None:
    """What is needed, what there is, what to do."""
    needed, missing = told.split("|")
    with pytest.raises(NoSpaceError) as refused:
        ROOM.require(need, 0, reserve)
    assert str(refused.value) == (
        f"/vault needs {needed}, and has 50 GB free: {missing} are missing. "
        "Nothing was copied. Add space, or lower vault.reserve in the site file."
    )


def test_names_can_run_out_before_bytes_do() -> None:
    """An ext4 has a fixed number of files."""
    with pytest.raises(NoSpaceError) as refused:
        ROOM.require(1, 1001, 0)
    assert str(refused.value) == (
        "/vault needs room for 1,001 more files and folders and has it for 1,000. "
        "Nothing was copied. Add space."
    )
