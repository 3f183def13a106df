"""Restores of VMs with firmware, a TPM, backing files, other sizes, block devices or other folders."""

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from include.errors import ConfigError, VmNotPossibleError
from tests.include.restore.vm_restores import Rehearsal, mounted, write_noise

UUID = "11111111-2222-4333-8444-666666666666"
DOMAIN = """
<domain type='qemu'>
  <name>maq5</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/none/CODE.fd</loader>
    <nvram>{folder}/maq5_VARS.fd</nvram></os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='{kind}'><driver name='qemu' type='{form}'/><source {attribute}='{path}'/>
      <target dev='vda' bus='virtio'/></disk>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
  </devices>
</domain>
"""


class Special:
    """A VM with firmware, a TPM and any disk; :meth:`remove` removes it."""

    def __init__(self, rehearsal: Rehearsal, path: Path, form: str = "raw", kind: str = "file") -> None:
        self._bringing, self.folder, self.disk = rehearsal, rehearsal.kvm.folder / "disks", path
        self.nvram, self.tpm = self.folder / "maq5_VARS.fd", rehearsal.kvm.folder / "lib" / "swtpm" / UUID
        self.nvram.write_bytes(b"variables of last week")
        self.tpm.mkdir(parents=True, exist_ok=True)
        (self.tpm / "state").write_bytes(b"secrets of last week")
        described = rehearsal.kvm.folder / "maq5.xml"
        attribute = {"file": "file", "block": "dev"}[kind]
        fields = {"uuid": UUID, "folder": self.folder, "kind": kind, "form": form, "attribute": attribute}
        described.write_text(DOMAIN.format(path=path, **fields))
        rehearsal.kvm.virsh("define", f"--file={described}")

    def change_firmware(self) -> None:
        """Change the UEFI variables and the state of the TPM."""
        self.nvram.write_bytes(b"variables of now")
        (self.tpm / "state").write_bytes(b"secrets of now")
        (self.tpm / "more").write_bytes(b"")

    def remove(self) -> None:
        """Remove the VM, its files and its backups."""
        self._bringing.kvm.run("virsh", "undefine", "--nvram", "--tpm", "--domain=maq5", check=False)
        for path in self.folder.glob("maq5*"):
            path.unlink()
        subprocess.run(["rm", "-rf", *map(str, self.tpm.parent.glob(f"{UUID}*"))], check=True)
        subprocess.run(["rm", "-rf", str(self._bringing.vault.root / "vm" / "maq5")], check=True)


@pytest.fixture
def special(rehearsal: Rehearsal) -> Iterator[Special]:
    """A special VM on a raw disk, with its backup in the vault."""
    disk = rehearsal.kvm.folder / "disks" / "maq5.img"
    disk.write_bytes(os.urandom(3 << 20))
    vm = Special(rehearsal, disk)
    rehearsal.back_up("maq5", "last week")
    yield vm
    vm.remove()


def test_firmware_and_tpm_are_restored_in_place(rehearsal: Rehearsal, special: Special) -> None:
    """Their newer state is kept."""
    special.change_firmware()
    restored = rehearsal.in_place("maq5")
    assert special.nvram.read_bytes() == b"variables of last week"
    assert {path.name: path.read_bytes() for path in special.tpm.iterdir()} == {
        "state": b"secrets of last week"
    }
    kept = {Path(path).name.split(".before")[0]: Path(path) for path in restored.swapped.kept}
    assert sorted(kept) == [UUID, "maq5.img", "maq5_VARS.fd"]
    assert kept["maq5_VARS.fd"].read_bytes() == b"variables of now"
    tpm = rehearsal.kvm.folder / "lib" / "swtpm" / kept[UUID].name
    assert sorted(path.name for path in tpm.iterdir()) == ["more", "state"]
    assert special.tpm.stat().st_mode == tpm.stat().st_mode


@pytest.mark.slow
def test_firmware_and_tpm_are_restored_beside(rehearsal: Rehearsal, special: Special) -> None:
    """To paths of the new VM; the original's aren't changed."""
    special.change_firmware()
    restored = rehearsal.beside("maq5", new_name="maq5-copy")
    try:
        new = rehearsal.kvm.folder / "lib" / "swtpm" / restored.swapped.uuid
        assert (special.folder / "maq5-copy_VARS.fd").read_bytes() == b"variables of last week"
        assert (new / "state").read_bytes() == b"secrets of last week"
        assert special.nvram.read_bytes() == b"variables of now"
        assert (special.tpm / "more").exists()
    finally:
        rehearsal.kvm.virsh("undefine", "--nvram", "--domain=maq5-copy")


@pytest.mark.slow
def test_uefi_variables_of_a_device_are_restored_to_a_file(rehearsal: Rehearsal, special: Special) -> None:
    """In place, the device stays as it is, and the VM has them in a file of libvirt's."""
    kvm, backing = rehearsal.kvm, special.folder / "maq5.variables"
    backing.write_bytes(b"variables of last week".ljust(1 << 20, b"\0"))
    loop, device = kvm.run("losetup", "--find", "--show", str(backing)), special.folder / "maq5.device"
    os.mknod(device, stat.S_IFBLK | 0o600, Path(loop).stat().st_rdev)  # a node that is the test's own
    old = f"<nvram>{special.nvram}</nvram>"
    new = f"<nvram type='block'><source dev='{device}'/></nvram>"
    described = kvm.folder / "maq5.xml"
    described.write_text(described.read_text().replace(old, new))
    try:
        kvm.virsh("define", f"--file={described}")
        rehearsal.back_up("maq5", "on a device")
        restored = rehearsal.in_place("maq5")
        defined = ET.fromstring(kvm.virsh("dumpxml", "--domain=maq5", "--inactive"))  # noqa: S314 - libvirt's
        place = defined.findtext("os/nvram", "")
        assert kvm.run("head", "--bytes=22", place) == "variables of last week"
        assert device.is_block_device()
        assert f"Its UEFI variables are {place} now, not {device}." in restored.warnings
    finally:
        kvm.run("losetup", "--detach", loop)


@pytest.mark.slow
def test_an_undefined_vm_without_disks_is_restored(rehearsal: Rehearsal, special: Special) -> None:
    """As after the loss of its host."""
    content, uuid = special.disk.read_bytes(), rehearsal.kvm.virsh("domuuid", "--domain=maq5")
    rehearsal.kvm.virsh("undefine", "--nvram", "--domain=maq5")
    special.disk.unlink()
    restore = rehearsal.restore("maq5", how="in place")
    with pytest.raises(VmNotPossibleError, match="isn't where restores may write on this host"):
        restore.run_all()
    restored = replace(restore, host=replace(restore.host, disk_folders=(str(special.folder),))).run_all()
    assert special.disk.read_bytes() == content
    assert restored.swapped.kept == ()
    assert (special.tpm / "state").read_bytes() == b"secrets of last week"
    assert rehearsal.kvm.virsh("domuuid", "--domain=maq5") == uuid


@pytest.mark.slow
@pytest.mark.parametrize("size", ["+2M", "-1M"])
def test_a_resized_disk_gets_its_old_size(rehearsal: Rehearsal, special: Special, size: str) -> None:
    """Whether it was grown or shrunk; only what differs is sent."""
    content = special.disk.read_bytes()
    subprocess.run(["qemu-img", "resize", "-q", "-f", "raw", "--shrink", str(special.disk), size], check=True)
    restored = rehearsal.in_place("maq5")
    assert special.disk.read_bytes() == content
    assert restored.sent_bytes == (0 if size == "+2M" else 1 << 20)


@pytest.mark.slow
def test_a_disk_with_a_backing_file_is_restored_without_one(rehearsal: Rehearsal, special: Special) -> None:
    """The file below it isn't touched, nor needed any more."""
    below = special.folder / "maq5-below.img"
    special.disk.rename(below)
    content = below.read_bytes()
    top = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(below), str(special.disk)]
    subprocess.run(top, check=True)
    rehearsal.kvm.run("virsh", "undefine", "--nvram", "--keep-tpm", "--domain=maq5", check=False)
    chained = Special(rehearsal, special.disk, "qcow2")
    rehearsal.back_up("maq5", "chained")
    write_noise(chained.disk, "qcow2", "0", "1M")
    restored = rehearsal.in_place("maq5")
    info = subprocess.run(["qemu-img", "info", str(chained.disk)], capture_output=True, text=True, check=True)
    assert "backing file" not in info.stdout
    assert rehearsal.content(chained.disk, "qcow2") == content == below.read_bytes()
    assert restored.sent_bytes == 1 << 20


@pytest.mark.parametrize("form", ["raw", pytest.param("qcow2", marks=pytest.mark.slow)])
def test_without_keep_old_the_disk_is_overwritten(rehearsal: Rehearsal, special: Special, form: str) -> None:
    """It stays the same file; nothing is copied."""
    content, disk = special.disk.read_bytes(), special.disk
    if form == "qcow2":
        disk = special.folder / "maq5.qcow2"
        convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(special.disk), str(disk)]
        subprocess.run(convert, check=True)
        rehearsal.kvm.run("virsh", "undefine", "--nvram", "--keep-tpm", "--domain=maq5", check=False)
        Special(rehearsal, disk, "qcow2")
        rehearsal.back_up("maq5", "as QCOW2")
    inode = disk.stat().st_ino
    write_noise(disk, form, "1M", "64k")
    restored = rehearsal.in_place("maq5", keep_old=False)
    assert restored.sent_bytes == 1 << 20
    assert rehearsal.content(disk, form) == content
    assert disk.stat().st_ino == inode
    assert restored.swapped.kept == ()
    assert rehearsal.left_behind() == []


@pytest.mark.slow
def test_a_sparse_disk_isnt_overwritten_without_space_to_grow(rehearsal: Rehearsal) -> None:
    """Filling its holes takes space, which is checked first."""
    on_host, here = rehearsal.kvm.run, rehearsal.kvm.folder / "disks" / "maq5.img"
    here.write_bytes(os.urandom(6 << 20))
    with mounted(rehearsal, "10M") as small:  # on the host: it isn't seen from here
        special = Special(rehearsal, Path(small) / "maq5.img")
        try:
            on_host("cp", str(here), small)
            rehearsal.back_up("maq5", "full of data")
            on_host("truncate", "--size=0", str(special.disk))
            on_host("truncate", "--size=6M", str(special.disk))
            with pytest.raises(VmNotPossibleError, match=r"may grow by 0.01 GB\. The VM wasn't touched"):
                rehearsal.in_place("maq5", keep_old=False)
            on_host("cmp", "--bytes=6M", str(special.disk), "/dev/zero")
            on_host("mount", "-o", "remount,size=20M", small)
            assert rehearsal.in_place("maq5", keep_old=False).sent_bytes == 0, "all of it is there already"
            on_host("cmp", str(special.disk), str(here))
        finally:
            special.remove()


@pytest.mark.slow
def test_a_disk_with_another_hard_link_isnt_overwritten(rehearsal: Rehearsal, special: Special) -> None:
    """The other name keeps its content."""
    write_noise(special.disk, "raw", "1M", "1M")
    other, now = special.folder / "maq5.kept", special.disk.read_bytes()
    other.hardlink_to(special.disk)
    rehearsal.in_place("maq5", keep_old=False)
    assert other.read_bytes() == now != special.disk.read_bytes()
    assert rehearsal.left_behind() == []


@pytest.mark.slow
def test_a_vm_is_restored_in_place_to_another_folder(rehearsal: Rehearsal, special: Special) -> None:
    """Its definition has the new path; the old file isn't changed."""
    before = special.disk.read_bytes()
    special.disk.write_bytes(b"gone wrong".ljust(len(before), b"!"))
    folder = special.folder / "maq5-new-place"
    folder.mkdir()
    try:
        rehearsal.in_place("maq5", folder=str(folder))
        assert (folder / "maq5.img").read_bytes() == before
        assert special.disk.read_bytes().startswith(b"gone wrong")
        assert str(folder / "maq5.img") in rehearsal.kvm.virsh("dumpxml", "--domain=maq5")
    finally:
        (folder / "maq5.img").unlink()
        folder.rename(special.folder.parent / "old place")


@pytest.mark.slow
def test_a_block_device_is_overwritten_only_without_keep_old(rehearsal: Rehearsal) -> None:
    """Its content can't be kept. Beside, it becomes a file, which needs a folder."""
    kvm, backing = rehearsal.kvm, rehearsal.kvm.folder / "device.img"
    backing.write_bytes(os.urandom(4 << 20))
    content = backing.read_bytes()
    device = Path(kvm.run("losetup", "--find", "--show", str(backing)))
    vm = Special(rehearsal, device, kind="block")
    try:
        rehearsal.back_up("maq5", "last week")
        kvm.run("dd", "if=/dev/zero", f"of={device}", "bs=1M", "count=2", "oflag=direct")
        with pytest.raises(VmNotPossibleError, match="is a block device, whose old content can't be kept"):
            rehearsal.in_place("maq5")
        with pytest.raises(ConfigError, match=r"vda of maq5 is on a block device\. Name a folder"):
            rehearsal.beside("maq5", new_name="maq5-copy")
        restored = rehearsal.in_place("maq5", keep_old=False)
        assert restored.sent_bytes == 2 << 20
        assert device.read_bytes() == content
        rehearsal.beside("maq5", new_name="maq5-copy", folder=str(vm.folder))
        assert (vm.folder / "maq5-copy-vda.raw").read_bytes() == content
    finally:
        kvm.run("losetup", "--detach", str(device))
        kvm.run("virsh", "undefine", "--nvram", "--domain=maq5-copy", check=False)
        vm.remove()


@pytest.mark.slow
def test_a_restored_vm_is_started_on_request(rehearsal: Rehearsal) -> None:
    """It is running afterwards."""
    started = rehearsal.in_place("maq1", start=True, keep_old=False)
    try:
        assert started.swapped.state == "running"
    finally:
        rehearsal.kvm.virsh("destroy", "--domain=maq1")


@pytest.mark.slow
def test_a_vm_that_doesnt_start_is_a_warning(rehearsal: Rehearsal, special: Special) -> None:
    """It is restored, but its host lacks its firmware."""
    restored = rehearsal.in_place("maq5", start=True)
    assert restored.swapped.state == "shut off"
    assert "It is restored, but doesn't start" in " ".join(restored.warnings)
    assert special.disk.exists()
