"""Clones on real file systems: each is made in a file, and mounted for one test only."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.agent.disks.clones import refusal
from include.agent.errors import BackupNotBegunError
from tests.include.project_process import python
from tests.session.needs import disk_mounts, program

_MOUNT = 'mount -o loop "$1/image" "$1/mnt" && shift && exec "$@"'
_COMMON = """
import json, os, subprocess, sys
from pathlib import Path
from include.agent.disks import clones

there, elsewhere = Path(sys.argv[1]) / "mnt", Path(sys.argv[1])

def disk(path, size=4 << 20):
    path.write_bytes(os.urandom(size))
    return of(path, size)

def of(path, size):
    return {"name": path.name, "format": "raw", "kind": "file", "path": str(path), "bytes": size}

"""


def on(tmp_path: Path, kind: str, script: str, *options: str) -> Any:  # noqa: ANN401 - of JSON
    """Run a script with a file system mounted; return the JSON that it prints."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(512 << 20)
    (tmp_path / "mnt").mkdir()
    subprocess.run([program(f"mkfs.{kind}"), "-q", *options, str(image)], check=True)
    prefix = [*disk_mounts(), "sh", "-ec", _MOUNT, "sh", str(tmp_path)]
    return json.loads(python(_COMMON + script, str(tmp_path), prefix=prefix))


CLONED = """
vda = disk(there / "vda")
(elsewhere / "link").symlink_to(there / "vda")
vda["path"] = str(elsewhere / "link")
assert clones.refusal([vda]) == clones.failed_trial([vda]) == ""
assert sorted(there.iterdir()) == [there / "vda"]
folder = clones.folder_of(vda) / "clones"
folder.mkdir()
before = (there / "vda").read_bytes()
made = Path(clones.clone(vda, folder)["path"])
clones.sync([folder])
assert made.stat().st_mode & 0o777 == 0o400
with (there / "vda").open("r+b") as file:
    file.write(b"guest")
assert made.read_bytes() == before
print(json.dumps([str(made.relative_to(there)), made.stat().st_size]))
"""


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_clone_stays_as_the_disk_was(tmp_path: Path, kind: str) -> None:
    """Whatever is written to the disk later, and whatever link leads to it. The trial leaves nothing."""
    assert on(tmp_path, kind, CLONED) == ["clones/vda.clone", 4 << 20]


REFUSED = """
vda = disk(there / "vda")
scattered = there / "scattered"
with scattered.open("wb") as file:
    for number in range(8):
        file.seek(number << 20)
        file.write(b"data")
    os.fsync(file.fileno())
scattered = of(scattered, 8 << 20)
assert clones.refusal([scattered]) == ""
clones.MOST_CLONED_EXTENTS = 7
extents = clones.refusal([scattered])
for name in ("upper", "work", "merged"):
    (there / name).mkdir()
layers = f"lowerdir={there},upperdir={there}/upper,workdir={there}/work"
subprocess.run(["mount", "-t", "overlay", "-o", layers, "none", there / "merged"], check=True)
overlay = clones.refusal([of(there / "merged" / "vda", 4 << 20)])
large = clones.refusal([{**vda, "bytes": 1 << 40}])
gone = clones.refusal([of(there / "gone", 1)])
print(json.dumps([extents, overlay, large, gone]).replace(str(there), ""))
"""


def test_a_doubt_is_a_refusal(tmp_path: Path) -> None:
    """Many extents, another file system on top, little space, no such file."""
    extents, overlay, large, gone = on(tmp_path, "xfs", REFUSED)
    assert re.fullmatch("[0-9]+ extents, more than 7: to clone them would take too long", extents)
    assert overlay == "vda: on overlay, not on XFS or Btrfs"
    assert large.endswith(" has too little free space for what the guest overwrites meanwhile")
    assert gone == "gone: No such file or directory"


TRIED = """
vda = disk(there / "vda")
print(json.dumps((clones.refusal([vda]) or clones.failed_trial([vda])).replace(str(there), "")))
"""


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("xfs", ["-m", "reflink=0"], "vda: on a file system without reflink"),
        ("ext4", [], "vda: on ext4, not on XFS or Btrfs"),
    ],
)
def test_a_file_system_that_shares_no_blocks_is_refused(
    tmp_path: Path, kind: str, options: list[str], expected: str
) -> None:
    """It is tried before the VM is stopped."""
    assert on(tmp_path, kind, TRIED, *options) == expected


EXEMPT = """
exempt, whole = there / "exempt", there / "whole"
exempt.touch()
subprocess.run(["chattr", "+C", exempt], check=True)
whole.mkdir()
subprocess.run(["chattr", "+C", whole], check=True)
subvolume = there / "subvolume"
subprocess.run(["btrfs", "-q", "subvolume", "create", subvolume], check=True)
disks = [disk(exempt), disk(whole / "vda"), disk(subvolume / "vda")]
print(json.dumps([clones.refusal([disk]).replace(str(there), "") for disk in disks]))
"""


def test_btrfs_files_without_copy_on_write_are_refused(tmp_path: Path) -> None:
    """By their flag, or by that of their folder; those of a subvolume aren't."""
    exempt = "exempt from copy-on-write (chattr +C)"
    assert on(tmp_path, "btrfs", EXEMPT) == [f"exempt: {exempt}", f"vda: {exempt}", ""]


SUBVOLUMES = """
for name in ("a", "b"):
    subprocess.run(["btrfs", "-q", "subvolume", "create", there / name], check=True)
    (there / name / "vda").touch()
free = clones.usable_bytes(there)
disks = [of(there / name / "vda", free * 15) for name in ("a", "b")]  # each alone has enough space
found = [clones.refusal(disks[:1]), clones.refusal(disks)]
subprocess.run(["btrfs", "quota", "enable", there], check=True)
found.append(clones.refusal(disks[:1]))
subprocess.run(["btrfs", "qgroup", "limit", "200M", there / "b"], check=True)
found.append(clones.refusal(disks[:1]))
print(json.dumps(found).replace(str(there), ""))
"""


def test_subvolumes_share_the_space_and_may_have_limits(tmp_path: Path) -> None:
    """Beyond a limit, a guest's writes would fail with EDQUOT, at which QEMU doesn't pause it."""
    one, both, counted, limited = on(tmp_path, "btrfs", SUBVOLUMES)
    assert (one, counted) == ("", "")
    assert both == "/b has too little free space for what the guest overwrites meanwhile"
    assert limited.endswith("on a Btrfs with quota limits, beyond which the guest's writes would fail")


UNWRITTEN = """
with (there / "vda").open("wb") as file:
    for number in range(2000):
        file.seek(number * 8192)
        file.write(b"data")
clones.MOST_CLONED_EXTENTS = 1000
print(json.dumps(clones.failed_trial([of(there / "vda", 2000 * 8192)])))
"""


def test_what_the_host_hasnt_written_yet_is_counted(tmp_path: Path) -> None:
    """Until it is flushed, its extents are few; the clone would flush it while the VM is down."""
    assert on(tmp_path, "xfs", UNWRITTEN).endswith(
        "extents, more than 1,000: to clone them would take too long"
    )


def test_without_root_no_disk_is_cloned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clone of a disk that can't be read any more would fail while the VM is off."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    (tmp_path / "vda").touch()
    disk = {"name": "vda", "format": "raw", "kind": "file", "path": str(tmp_path / "vda"), "bytes": 0}
    assert refusal([disk]).endswith("the agent isn't root")


@pytest.mark.parametrize(
    ("other", "what"), [({"format": "qcow2"}, "qcow2"), ({"kind": "block"}, "a block device")]
)
def test_only_raw_files_are_cloned(tmp_path: Path, other: dict[str, str], what: str) -> None:
    """All disks of a VM, or none: they are of one instant."""
    disks = [{"name": "vda", "format": "raw", "kind": "file", "path": str(tmp_path / "vda"), "bytes": 1}]
    disks.append({**disks[0], "name": "vdb", **other})
    assert refusal(disks) == f"vdb: {what}, not a raw file"


FULL = """
vda = disk(there / "vda", 64 << 20)
assert clones.refusal([vda]) == ""
(there / "clones").mkdir()
(there / "clones" / "vda.clone").touch()
try:
    clones.clone(vda, there / "clones")
except clones.BackupNotBegunError as error:
    print(json.dumps(str(error)))
"""


def test_a_clone_that_fails_is_reported(tmp_path: Path) -> None:
    """With the disk, and why."""
    assert BackupNotBegunError.status == 6
    assert "vda.clone" in on(tmp_path, "xfs", FULL)
