"""Disks that fill up, are too small, or can't be written: real ones, mounted for the test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.include.machine import own_mounts
from tests.include.rehearsal import Rehearsal, Step
from tests.include.worker import Outcome, Worker

MB = 1 << 20


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A worker with mounts of its own, which nobody else sees and which end with it."""
    with Worker(own_mounts()) as process:
        yield process


class Disk:
    """A vault on a disk of its own, as the worker sees it.

    Args:
        rehearsal: a source.
        worker: who has the disk.
        mount_point: where.
    """

    def __init__(self, rehearsal: Rehearsal, worker: Worker, mount_point: Path) -> None:
        self._worker = worker
        self.mount_point = mount_point
        self.rehearsal = rehearsal.but(vault_root=str(mount_point / "vault"), steps_per_day=None)
        self.rehearsal.write_files(a=os.urandom(MB), b=os.urandom(MB))

    def mount(self, options: str) -> None:
        """Mount it, and make the vault."""
        self.mount_point.mkdir(exist_ok=True)
        self._worker.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.mount_point))
        self._worker.run(sys.executable, "-m", "include.vault", "create", self.rehearsal.vault_root)

    def remount(self, options: str) -> None:
        """Change its size, or whether it can be written."""
        self._worker.run("mount", "-o", f"remount,{options}", str(self.mount_point))

    def fill(self) -> None:
        """Let somebody else take all that is left."""
        full = ("dd", "if=/dev/zero", f"of={self.mount_point}/somebody else's", "bs=4k", "status=none")
        self._worker.run("sh", "-c", 'LC_ALL=C "$@" 2>&1 | grep -q "No space left on device"', "", *full)

    def do(self, *steps: Step, reserve_bytes: int = 0, fill: int = 0) -> Outcome:
        """Take steps; somebody else takes ``fill`` bytes when rsync starts."""
        rehearsal = self.rehearsal.but(reserve_bytes=reserve_bytes)
        others = (str(self.mount_point / "others"), fill) if fill else ()
        return self._worker.do(rehearsal, *steps, fill=others)

    @property
    def seen(self) -> Rehearsal:
        """The same as this process can see it."""
        return self.rehearsal.but(vault_root=str(self._worker.path(Path(self.rehearsal.vault_root))))

    @property
    def staged(self) -> list[str]:
        """What is in staging."""
        staging = Path(self.seen.vault_root, ".staging")
        return sorted(path.name for path in staging.rglob("*") if path.is_file())


@pytest.fixture
def disk(rehearsal: Rehearsal, worker: Worker, tmp_path: Path) -> Disk:
    """A disk that isn't mounted yet, and a day of 2 MB."""
    return Disk(rehearsal, worker, tmp_path / "disk")


def test_a_disk_that_fills_up_under_the_copy_is_told_and_the_copy_goes_on_with_more_space(disk: Disk) -> None:
    """Somebody else wrote to it; nothing is published before it's whole."""
    disk.mount("size=3m")
    outcome = disk.do("copy", fill=MB + MB // 2)
    assert outcome.error == "NoSpaceError"
    assert outcome.message.startswith(
        "The vault's disk is full. Add space and clear the task. rsync ended with"
    )
    assert disk.do("publish").error == "DayNotProvenError"
    assert disk.do("copy").error == "NoSpaceError"
    assert disk.seen.published() == []
    disk.remount("size=64m")
    assert disk.do().error == ""
    assert disk.seen.published_names() == ["268"]
    assert disk.seen.is_published()


@pytest.mark.parametrize("step", ["prove", "publish"])
def test_a_disk_that_is_full_when_the_copy_is_whole_only_delays_the_rest(disk: Disk, step: Step) -> None:
    """The proof, the sums and the record need room, too."""
    disk.mount("size=8m")
    assert disk.do("copy").error == ""
    if step == "publish":
        assert disk.do("prove").error == ""
    disk.fill()
    outcome = disk.do(step)
    assert outcome.error == "NoSpaceError"
    assert outcome.message == f"The vault {disk.rehearsal.vault_root} is full. Add space and clear the task."
    assert disk.seen.published() == []
    disk.remount("size=64m")
    if step == "prove":
        assert disk.do("prove").error == ""
    assert disk.do("publish").error == ""
    assert disk.seen.is_published()


@pytest.mark.parametrize(
    ("size", "reserve_bytes"),
    [("1500k", 0), ("4m", 3 * MB), ("64m", 64 * MB)],
    ids=["small", "reserve", "all"],
)
def test_a_day_without_room_isnt_begun(disk: Disk, size: str, reserve_bytes: int) -> None:
    """Room is known before a byte is copied, and the reserve is never used up."""
    disk.mount(f"size={size}")
    outcome = disk.do("copy", reserve_bytes=reserve_bytes)
    assert outcome.error == "NoSpaceError"
    assert outcome.message.startswith(f"{disk.rehearsal.vault_root} needs 2.1 MB for the copy and ")
    assert " are missing. Nothing was copied. Add space, or lower vault.reserve" in outcome.message
    assert disk.staged == []
    assert disk.do().error == ("NoSpaceError" if reserve_bytes == 0 else "")


def test_many_small_files_take_whole_blocks(disk: Disk) -> None:
    """A thousand files of a byte are 4 MB on a disk."""
    for number in range(1000):
        (disk.rehearsal.folder / str(number)).write_bytes(b"x")
    disk.mount("size=4m")
    outcome = disk.do("copy")
    assert (outcome.error, disk.staged) == ("NoSpaceError", [])
    assert "Nothing was copied" in outcome.message


def test_a_disk_that_has_room_for_the_bytes_and_not_for_the_names(disk: Disk) -> None:
    """Its number of files is fixed; that is known before, too."""
    disk.mount("size=64m,nr_inodes=20")
    for number in range(30):
        (disk.rehearsal.folder / str(number)).write_bytes(b"x")
    outcome = disk.do("copy")
    assert (outcome.error, disk.staged) == ("NoSpaceError", [])
    assert "needs room for 32 more files and folders" in outcome.message
    disk.remount("size=64m,nr_inodes=200")
    assert disk.do().error == ""
    assert disk.seen.is_published()


def test_what_is_staged_already_needs_no_room_again(disk: Disk) -> None:
    """A copy that was broken off at its end goes on, on a disk that has no room for a second one."""
    disk.mount("size=3m")
    assert disk.do("copy").error == ""
    assert disk.do("copy").error == ""
    assert disk.do().error == ""
    assert disk.seen.is_published()


@pytest.mark.parametrize("step", ["copy", "prove", "publish"])
def test_a_disk_that_is_mounted_read_only_is_told_and_nothing_is_lost(disk: Disk, step: Step) -> None:
    """As a kernel does after errors; the step is done again when it can be written."""
    disk.mount("size=64m")
    steps: list[Step] = ["copy", "prove", "publish"]
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
    """Nothing is written into the empty mount point, which lies on another disk."""
    disk.mount("size=64m")
    worker.run("umount", str(disk.mount_point))
    outcome = disk.do("copy")
    assert outcome.error == "VaultUnmarkedError"
    assert "Is its disk mounted?" in outcome.message
    assert list(disk.mount_point.iterdir()) == []
