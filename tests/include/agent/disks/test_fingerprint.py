"""Fingerprints of real files and devices."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from include.agent.disks.fingerprint import fingerprint, is_counted
from tests.session import needs


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk in a file."""
    path = tmp_path / "disk"
    path.write_bytes(bytes(1 << 20))
    return path


@pytest.fixture
def device(disk: Path) -> Iterator[str]:
    """A block device."""
    needs.root()
    attach = ["losetup", "--find", "--show", str(disk)]
    name = subprocess.run(attach, capture_output=True, text=True, check=True).stdout.strip()
    yield name
    subprocess.run(["losetup", "--detach", name], check=True)


def write_in_place(path: Path) -> None:
    """Write, and set the times back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"guest")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path) -> None:
    """Put another file in its place, with the same size and times."""
    shutil.copy2(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def own(path: Path) -> None:
    """Set its owner, as libvirt does when it starts a VM."""
    os.chown(path, os.getuid(), os.getgid())


@pytest.mark.parametrize(
    "change", [write_in_place, replace, own, Path.unlink, lambda path: os.truncate(path, 5)]
)
def test_a_change_of_a_file_changes_it(disk: Path, change: Callable[[Path], object]) -> None:
    """Whatever was done to hide it."""
    before = fingerprint([str(disk)])
    change(disk)
    assert fingerprint([str(disk)]) != before


def test_reading_doesnt_change_it(disk: Path) -> None:
    """Neither the fingerprint itself nor the transfer does."""
    before = fingerprint([str(disk)])
    disk.read_bytes()
    assert fingerprint([str(disk)]) == before


def test_a_start_of_another_vm_with_the_same_backing_file_doesnt_change_it(
    disk: Path, tmp_path: Path
) -> None:
    """Libvirt sets the owner of backing files, too; their content counts."""
    overlay = tmp_path / "overlay"
    overlay.touch()
    chain = [str(overlay), str(disk), "nbd://127.0.0.1/base"]
    before = fingerprint(chain)
    own(disk)
    assert fingerprint(chain) == before
    disk.write_bytes(b"committed")
    assert fingerprint(chain) != before


def test_a_write_to_a_device_changes_it(device: str) -> None:
    """Its content alone tells nothing: the same bytes are written again."""
    before = fingerprint([device])
    Path(device).read_bytes()
    assert fingerprint([device]) == before
    command = ["dd", "if=/dev/zero", f"of={device}", "bs=4k", "count=1", "oflag=direct"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert fingerprint([device]) != before


def test_a_device_whose_writes_arent_counted_is_known(device: str, disk: Path) -> None:
    """Its fingerprint shows nothing; that of a file does."""
    iostats = Path("/sys/block", Path(device).name, "queue", "iostats")
    assert is_counted(device)
    before = fingerprint([device])
    try:
        iostats.write_text("0", encoding="ascii")
        assert not is_counted(device)
        assert fingerprint([device]) != before
    finally:
        iostats.write_text("1", encoding="ascii")  # a loop device keeps it
    assert is_counted(str(disk))
    assert is_counted("nbd://elsewhere")
