"""Free space is what the file system reports, and a backup must leave the reserve free."""

import os
from pathlib import Path

import pytest

from include.errors import NoSpaceError
from include.vault.free_space import FreeSpace, SpaceNeed

GB = 10**9
SPACE = FreeSpace(Path("/vault"), total_bytes=100 * GB, free_bytes=50 * GB, free_files=1000)


def test_free_space_is_what_the_file_system_reports(tmp_path: Path) -> None:
    """In bytes, not in blocks."""
    stats, space = os.statvfs(tmp_path), FreeSpace.of(tmp_path)
    assert space.path == tmp_path
    assert space.total_bytes == stats.f_blocks * stats.f_frsize
    assert 0 < space.free_bytes <= space.total_bytes
    assert space.free_files > 0


@pytest.mark.parametrize(
    ("need", "files", "reserve"), [(0, 0, 0), (50 * GB, 1000, 0), (30 * GB, 0, 20 * GB), (0, 0, 50 * GB)]
)
def test_space_to_the_last_byte_is_enough(need: int, files: int, reserve: int) -> None:
    """Including the reserve."""
    SPACE.require(need, files, reserve)


@pytest.mark.parametrize(
    ("need", "reserve", "message"),
    [
        (30 * GB + 1, 20 * GB, "30 GB for the copy and 20 GB in reserve|1 B"),
        (512 * GB, 0, "512 GB for the copy and 0 B in reserve|462 GB"),
        (0, 50 * GB + 1000, "0 B for the copy and 50 GB in reserve|1.0 kB"),
    ],
)
def test_the_message_has_how_much_the_vault_is_short(need: int, reserve: int, message: str) -> None:
    """What is needed, what is free, what to do."""
    needed, missing = message.split("|")
    with pytest.raises(NoSpaceError) as refused:
        SPACE.require(need, 0, reserve)
    assert str(refused.value) == (
        f"/vault needs {needed}, and has 50 GB free: {missing} short. "
        "Nothing of it was copied. Add space, or lower vaults.main.reserve in the site file."
    )


def test_too_few_inodes_are_refused_too() -> None:
    """Ext4 has a fixed number of files."""
    with pytest.raises(NoSpaceError) as refused:
        SPACE.require(1, 1001, 0)
    assert str(refused.value) == (
        "/vault has no space for 1,001 more files and folders, only for 1,000. Nothing of it was "
        "copied. Add space."
    )


def test_space_is_allotted_in_order_and_what_doesnt_fit_is_refused() -> None:
    """A smaller one behind it still fits; the message says what the others take."""
    needs = [SpaceNeed("a", 20 * GB, 1), SpaceNeed("b", 30 * GB, 1), SpaceNeed("c", 10 * GB, 1)]
    refused = SPACE.refusals(needs, 10 * GB)
    assert list(refused) == ["b"]
    assert refused["b"].startswith(
        "/vault needs 30 GB for the copy, 20 GB for others of this run and 10 GB in reserve, and has 50 GB "
        "free: 10 GB short."
    )


def test_files_are_allotted_too() -> None:
    """Ext4 has a fixed number of them."""
    assert list(SPACE.refusals([SpaceNeed("a", 1, 600), SpaceNeed("b", 1, 600)], 0)) == ["b"]
