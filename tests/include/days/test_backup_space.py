"""Disks that fill up, are too small, or can't be written: real ones, mounted for the test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.include.days.day_tasks import Rehearsal, Step
from tests.include.days.worker import Outcome, Worker
from tests.session.needs import own_mounts

MB = 1 << 20


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A worker with its own mounts, which no other process sees and which end with it."""
    with Worker(own_mounts()) as process:
        yield process


class Disk:
    """A vault on its own disk, which only the worker sees.

    Args:
        rehearsal: the source.
        worker: the worker that mounts the disk.
        mount_point: the mount point.
    """

    def __init__(self, rehearsal: Rehearsal, worker: Worker, mount_point: Path) -> None:
        self._worker = worker
        self.mount_point = mount_point
        self.rehearsal = rehearsal.but(vault_root=str(mount_point / "vault"), steps_per_day=None)
        self.rehearsal.write_files(a=os.urandom(MB), b=os.urandom(MB))

    def mount(self, options: str) -> None:
        """Mount the disk, and create the vault."""
        self.mount_point.mkdir(exist_ok=True)
        self._worker.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.mount_point))
        self._worker.run(sys.executable, "-m", "include.cli", "init", self.rehearsal.vault_root)

    def remount(self, options: str) -> None:
        """Change the disk's size, or make it read-only or writable."""
        self._worker.run("mount", "-o", f"remount,{options}", str(self.mount_point))

    def fill(self) -> None:
        """Fill the disk with somebody else's file."""
        full = ("dd", "if=/dev/zero", f"of={self.mount_point}/somebody else's", "bs=4k", "status=none")
        self._worker.run("sh", "-c", 'LC_ALL=C "$@" 2>&1 | grep -q "No space left on device"', "", *full)

    def do(self, *steps: Step, reserve_bytes: int = 0, fill: int = 0) -> Outcome:
        """Run steps; somebody else writes ``fill`` bytes when rsync starts."""
        rehearsal = self.rehearsal.but(reserve_bytes=reserve_bytes)
        others = (str(self.mount_point / "others"), fill) if fill else ()
        return self._worker.do(rehearsal, *steps, fill=others)

    @property
    def seen(self) -> Rehearsal:
        """The rehearsal with the vault's path as this process sees it."""
        return self.rehearsal.but(vault_root=str(self._worker.path(Path(self.rehearsal.vault_root))))

    @property
    def staged(self) -> list[str]:
        """The names of the files in staging."""
        staging = Path(self.seen.vault_root, ".staging")
        return sorted(path.name for path in staging.rglob("*") if path.is_file())


@pytest.fixture
def disk(rehearsal: Rehearsal, worker: Worker, tmp_path: Path) -> Disk:
    """A disk that isn't mounted yet, and a day of 2 MB."""
    return Disk(rehearsal, worker, tmp_path / "disk")


def test_a_copy_that_fills_the_disk_is_reported_and_resumes_with_more_space(disk: Disk) -> None:
    """Somebody else wrote to the disk; nothing is published before the copy is complete."""
    disk.mount("size=3m")
    outcome = disk.do("copy", fill=MB + MB // 2)
    assert outcome.error == "NoSpaceError"
    assert outcome.message.startswith(
        "The vault's disk is full. Add space and clear the task. rsync ended with"
    )
    assert disk.do("publish").error == "DayNotVerifiedError"
    assert disk.do("copy").error == "NoSpaceError"
    assert disk.seen.published() == []
    disk.remount("size=64m")
    assert disk.do().error == ""
    assert disk.seen.published_names() == ["268"]
    assert disk.seen.is_published()


@pytest.mark.parametrize("step", ["verify", "publish"])
def test_a_disk_that_is_full_after_the_copy_only_delays_the_rest(disk: Disk, step: Step) -> None:
    """The verification, the checksum list and the record need space, too."""
    disk.mount("size=8m")
    assert disk.do("copy").error == ""
    if step == "publish":
        assert disk.do("verify").error == ""
    disk.fill()
    outcome = disk.do(step)
    assert outcome.error == "NoSpaceError"
    assert outcome.message == f"The vault {disk.rehearsal.vault_root} is full. Add space and clear the task."
    assert disk.seen.published() == []
    disk.remount("size=64m")
    if step == "verify":
        assert disk.do("verify").error == ""
    assert disk.do("publish").error == ""
    assert disk.seen.is_published()


@pytest.mark.parametrize(
    ("size", "reserve_bytes"),
    [("1500k", 0), ("4m", 3 * MB), ("64m", 64 * MB)],
    ids=["small", "reserve", "all"],
)
def test_nothing_is_copied_without_enough_space(disk: Disk, size: str, reserve_bytes: int) -> None:
    """Space is checked before a byte is copied, and the reserve stays free."""
    disk.mount(f"size={size}")
    outcome = disk.do("copy", reserve_bytes=reserve_bytes)
    assert outcome.error == "NoSpaceError"
    assert outcome.message.startswith(f"{disk.rehearsal.vault_root} needs 2.1 MB for the copy and ")
    assert " short. Nothing of it was copied. Add space, or lower vaults.main.reserve" in outcome.message
    assert disk.staged == []
    assert disk.do().error == ("NoSpaceError" if reserve_bytes == 0 else "")


def test_small_files_count_as_whole_blocks(disk: Disk) -> None:
    """A thousand files of a byte need 4 MB of a disk."""
    for number in range(1000):
        (disk.rehearsal.folder / str(number)).write_bytes(b"x")
    disk.mount("size=4m")
    outcome = disk.do("copy")
    assert (outcome.error, disk.staged) == ("NoSpaceError", [])
    assert "Nothing of it was copied" in outcome.message


def test_nothing_is_copied_without_enough_inodes(disk: Disk) -> None:
    """A file system with a fixed number of files is checked before, too."""
    disk.mount("size=64m,nr_inodes=20")
    for number in range(30):
        (disk.rehearsal.folder / str(number)).write_bytes(b"x")
    outcome = disk.do("copy")
    assert (outcome.error, disk.staged) == ("NoSpaceError", [])
    assert "has no space for 32 more files and folders" in outcome.message
    disk.remount("size=64m,nr_inodes=200")
    assert disk.do().error == ""
    assert disk.seen.is_published()


def test_what_is_staged_already_needs_no_space_again(disk: Disk) -> None:
    """A copy resumes on a disk that has no space for a second one."""
    disk.mount("size=3m")
    assert disk.do("copy").error == ""
    assert disk.do("copy").error == ""
    assert disk.do().error == ""
    assert disk.seen.is_published()


@pytest.mark.parametrize("step", ["copy", "verify", "publish"])
def test_a_read_only_disk_is_reported_and_nothing_is_lost(disk: Disk, step: Step) -> None:
    """The kernel remounts a disk so after errors; the step is repeated once it's writable."""
    disk.mount("size=64m")
    steps: list[Step] = ["copy", "verify", "publish"]
    for before in steps[: steps.index(step)]:
        assert disk.do(before).error == ""
    disk.remount("ro")
    outcome = disk.do(step)
    assert outcome.error == "VaultError"
    assert outcome.message.startswith(f"The vault {disk.rehearsal.vault_root} can't be written: ")
    assert "Read-only file system" in outcome.message
    disk.remount("rw")
    assert disk.seen.published() == []
    assert disk.do(*steps[steps.index(step) :]).error == ""
    assert disk.seen.is_published()


def test_a_disk_that_isnt_mounted_is_no_vault(disk: Disk, worker: Worker) -> None:
    """Nothing is written into the empty mount point, which is on another disk."""
    disk.mount("size=64m")
    worker.run("umount", str(disk.mount_point))
    outcome = disk.do("copy")
    assert outcome.error == "VaultUnmarkedError"
    assert "Is its disk mounted?" in outcome.message
    assert list(disk.mount_point.iterdir()) == []
