"""Two files of a restore never have one place, nor does one have that of another VM's."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.agent.errors import NotPossibleError
from include.agent.restore.host_vms import HostVms, identities
from include.agent.restore.places import changed_below, check_apart, check_unclaimed, check_unused
from include.agent.restore.request import RestoreRequest
from tests.include.agent.restore.test_request import REQUEST
from tests.session import needs

RESTORE = RestoreRequest(REQUEST)


class Users(HostVms):
    """VMs that use one file."""

    def __init__(self, path: Path, uses: dict[str, set[str]]) -> None:
        self._path, self._used = path, uses

    def users(self, but: str) -> dict[Any, dict[str, set[str]]]:
        """Return who uses it."""
        assert but == "a UUID"
        return dict.fromkeys(identities(self._path), self._used)


@pytest.mark.parametrize("kind", ["same", "link", "linked folder", "hard link", "new file of the other"])
def test_two_files_at_one_place_are_refused(tmp_path: Path, kind: str) -> None:
    """Disks or firmware, whatever leads there."""
    first, folder = tmp_path / "folder" / "disk", tmp_path / "folder"
    folder.mkdir()
    second = {
        "same": first,
        "link": tmp_path / "link",
        "linked folder": tmp_path / "linked" / "disk",
        "hard link": tmp_path / "hard",
        "new file of the other": RESTORE.new(first),
    }[kind]
    (tmp_path / "linked").symlink_to(folder)
    (tmp_path / "link").symlink_to(first)
    if kind == "hard link":
        first.touch()
        second.hardlink_to(first)
    with pytest.raises(NotPossibleError, match=r"vda and nvram\.fd would both be written to"):
        check_apart({"vda": first, "nvram.fd": second}, RESTORE)


def test_files_at_places_of_their_own_are_fine(tmp_path: Path) -> None:
    """In one folder, or under one name."""
    (tmp_path / "folder").mkdir()
    check_apart({"vda": tmp_path / "a", "vdb": tmp_path / "b", "vdc": tmp_path / "folder" / "a"}, RESTORE)


@pytest.mark.parametrize(
    ("uses", "message"),
    [
        ({"a disk": {"maq2"}}, "/x/base is a disk of the VM maq2"),
        ({"a backing file": {"b", "c", "a"}}, "/x/base is a backing file of the VMs a, b and c, whose disks"),
        ({"a boot file": {"a", "b"}}, "/x/base is firmware or a kernel of the VMs a and b"),
    ],
)
def test_a_file_that_other_vms_use_is_refused(uses: dict[str, set[str]], message: str) -> None:
    """The message names them all."""
    base = Path("/x/base")
    with pytest.raises(NotPossibleError, match=message):
        check_unused({"vda": Path("/x/other"), "vdb": base}, Users(base, uses), "a UUID")
    check_unused({"vda": Path("/x/other")}, Users(base, uses), "a UUID")


def test_a_block_device_that_the_host_uses_is_refused(tmp_path: Path) -> None:
    """As one that is mounted: the kernel has it claimed."""
    needs.root()
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    attach = ["losetup", "--find", "--show", str(disk)]
    device = Path(subprocess.run(attach, capture_output=True, text=True, check=True).stdout.strip())
    try:
        check_unclaimed(device)
        claimed = os.open(device, os.O_RDONLY | os.O_EXCL)
        with pytest.raises(NotPossibleError, match="is in use by the host itself"):
            check_unclaimed(device)
        os.close(claimed)
        check_unclaimed(device)
    finally:
        subprocess.run(["losetup", "--detach", str(device)], check=True)


class Own(HostVms):
    """A host with one VM, which has one disk."""

    def __init__(self, disk: Path) -> None:
        self._disk = disk

    def disks(self, uuid: str) -> dict[Path, str]:
        """Return its disk."""
        assert uuid == "a UUID"
        return {self._disk: "qcow2"}


def test_a_file_that_todays_disk_lies_on_is_a_warning(tmp_path: Path) -> None:
    """As after an external snapshot: the generation is of the disk below it."""
    before, today, broken = tmp_path / "maq1.qcow2", tmp_path / "maq1.after", tmp_path / "broken"
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, str(before), "1M"], check=True)
    subprocess.run([*create, "-F", "qcow2", "-b", str(before), str(today)], check=True)
    broken.touch()
    for disk, restored, warnings in (
        (today, before, 1),
        (today, today, 0),
        (before, before, 0),
        (broken, before, 0),
    ):
        found = list(changed_below({"vda": restored}, Own(disk), "a UUID"))
        assert [f"on which {today} lies today" in warning for warning in found] == [True] * warnings
