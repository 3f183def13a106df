"""What was read of a disk holds until anything else may have written to it."""

import time
from pathlib import Path

import pytest

from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.request import RequestedDisk
from include.agent.restore.verified import ComparedDisks, VerifiedDisks, fingerprint, verified_disks
from include.agent.state_folder import StateFolder, VmFolder
from tests.include.agent.restore.test_request import UUID


def disk(folder: Path, name: str, *, device: bool = False) -> DiskPlace:
    """Return a disk whose new file exists."""
    new = folder / f"{name}.new"
    new.write_bytes(b"content")
    return DiskPlace(RequestedDisk(name, folder / name, "raw", 7, 7, {}), folder / name, new, device)


def write(place: DiskPlace) -> None:
    """Write to a disk, once the clock of file times has gone on."""
    time.sleep(0.02)
    place.new.write_bytes(b"written")


@pytest.fixture
def folder(tmp_path: Path) -> VmFolder:
    """A VM's folder, with a restore in it."""
    found = StateFolder(str(tmp_path / "state")).of(UUID)
    found.restore.mkdir(parents=True)
    return found


def test_a_comparison_holds_until_another_write(tmp_path: Path) -> None:
    """The receiver's own writes are known; another's aren't, even of the same length."""
    vda, vdb = disk(tmp_path, "vda"), disk(tmp_path, "vdb")
    compared = ComparedDisks([vda, vdb])
    assert compared.changed(vda), "it was never seen"
    compared.seen(vda)
    compared.seen(vdb)
    write(vda)
    assert (compared.changed(vda), compared.changed(vdb)) == (True, False)
    compared.written(vda)
    assert (compared.changed(vda), compared.changed(vdb)) == (False, False)


def test_a_write_to_a_block_device_leaves_no_comparison_of_another_one(tmp_path: Path) -> None:
    """They may share blocks, as a disk and its partitions do."""
    vda, vdb = disk(tmp_path, "vda", device=True), disk(tmp_path, "vdb", device=True)
    compared = ComparedDisks([vda, vdb])
    compared.seen(vda)
    compared.seen(vdb)
    compared.written(vda)
    assert (compared.changed(vda), compared.changed(vdb)) == (False, True)


def test_a_verified_disk_is_known_to_the_next_process(tmp_path: Path, folder: VmFolder) -> None:
    """Of the same restore only, and as it was when it was verified."""
    vda, verified = disk(tmp_path, "vda"), VerifiedDisks(folder, "a token")
    verified.add(vda, fingerprint(vda))
    assert verified_disks(folder, "a token") == {"vda": fingerprint(vda)}
    assert verified_disks(folder, "another") == {}
    write(vda)
    assert verified_disks(folder, "a token") != {"vda": fingerprint(vda)}
    verified.remove(vda)
    assert verified_disks(folder, "a token") == {}
