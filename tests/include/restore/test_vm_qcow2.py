"""Restores of QCOW2 disks with options, internal snapshots, or an external data file."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.restore.vm import VmRestore
from tests.include.restore.vm_restores import Rehearsal

OPTIONS = "cluster_size=128k,extended_l2=on,lazy_refcounts=on"
DOMAIN = """
<domain type='qemu'>
  <name>maq6</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file'><driver name='qemu' type='qcow2'/><source file='{path}'/>
      <target dev='vda' bus='virtio'/></disk>
  </devices>
</domain>
"""
pytestmark = pytest.mark.slow


@pytest.fixture
def disk(rehearsal: Rehearsal) -> Iterator[Path]:
    """The path of the only disk of a VM ``maq6``; the test makes the disk."""
    path = rehearsal.kvm.folder / "disks" / "maq6.qcow2"
    definition = rehearsal.kvm.folder / "maq6.xml"
    definition.write_text(DOMAIN.format(path=path), encoding="utf-8")
    rehearsal.kvm.virsh("define", f"--file={definition}")
    yield path
    rehearsal.kvm.run("virsh", "undefine", "--snapshots-metadata", "--domain=maq6", check=False)
    for file in path.parent.glob("maq6*"):
        file.unlink()
    subprocess.run(["rm", "-rf", str(rehearsal.vault.root / "vm" / "maq6")], check=True)


def create(path: Path, options: str) -> None:
    """Create a disk."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, str(path), "4M"]
    subprocess.run(command, check=True)


def write(path: Path, sign: str) -> None:
    """Fill a disk."""
    command = ["qemu-io", "-f", "qcow2", "-c", f"write -P {sign} 0 4M", str(path)]
    subprocess.run(command, check=True, capture_output=True)


def test_a_lost_disk_is_made_with_its_options_and_lists_no_snapshot_that_it_lacks(
    rehearsal: Rehearsal, disk: Path
) -> None:
    """The backup names the snapshots, and the restore says that they are gone."""
    create(disk, OPTIONS)
    rehearsal.kvm.virsh("snapshot-create-as", "--domain=maq6", "--name=before-upgrade")
    record = rehearsal.back_up("maq6", "last week").record
    assert record.disks[0].qcow2 is not None
    assert [one.phrase for one in record.left_out] == [f"internal snapshots before-upgrade ({disk})"]
    disk.unlink()
    restored = rehearsal.in_place("maq6")
    command = ["qemu-img", "info", "--output=json", str(disk)]
    info = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    details = info["format-specific"]["data"]
    assert (info["cluster-size"], details["extended-l2"], details["lazy-refcounts"]) == (1 << 17, True, True)
    assert "snapshots" not in info
    assert rehearsal.kvm.virsh("snapshot-list", "--domain=maq6", "--name") == ""
    [warning] = [one for one in restored.warnings if one.startswith("The snapshot before-upgrade")]
    description = warning.rpartition(" ")[2].rstrip(".")
    rehearsal.kvm.run("grep", "before-upgrade", description)


def test_a_disk_that_is_copied_keeps_its_snapshots(rehearsal: Rehearsal, disk: Path) -> None:
    """They are in the copy, and libvirt can revert to them."""
    create(disk, OPTIONS)
    write(disk, "0x11")
    rehearsal.kvm.virsh("snapshot-create-as", "--domain=maq6", "--name=before-upgrade")
    write(disk, "0x22")
    rehearsal.back_up("maq6", "last week")
    write(disk, "0x33")
    for keep_old in (True, False):
        restored = rehearsal.in_place("maq6", f"{keep_old}", keep_old=keep_old)
        assert not [one for one in restored.warnings if one.startswith("The snapshot")]
        assert rehearsal.content(disk, "qcow2") == b"\x22" * (4 << 20)
    rehearsal.kvm.virsh("snapshot-revert", "--domain=maq6", "--snapshotname=before-upgrade")
    assert rehearsal.content(disk, "qcow2") == b"\x11" * (4 << 20)


def test_a_data_file_keeps_the_old_disks_data(
    rehearsal: Rehearsal, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the restore is cut off before the swap; the restored disk is a single file."""
    data, full = disk.with_name("maq6.raw"), 4 << 20
    create(disk, f"data_file={data},data_file_raw=on")
    write(disk, "0x11")
    rehearsal.back_up("maq6", "last week")
    write(disk, "0x22")
    with monkeypatch.context() as cut:
        cut.setattr(VmRestore, "_swap", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rehearsal.in_place("maq6")
    assert data.read_bytes() == rehearsal.content(disk, "qcow2") == b"\x22" * full
    restored = rehearsal.in_place("maq6")
    [old] = restored.swapped.kept
    assert data.read_bytes() == rehearsal.content(Path(old), "qcow2") == b"\x22" * full
    assert rehearsal.content(disk, "qcow2") == b"\x11" * full
    assert f"besides its own file stays: {data}." in " ".join(restored.warnings)
