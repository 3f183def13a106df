"""Machines of all kinds that come back: firmware and TPM, chains, other sizes, devices, other folders."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import ConfigError, MachineNotPossibleError
from tests.include.restore.bringing_back import Rehearsal, mounted, write_noise

pytestmark = pytest.mark.xdist_group("kvm")

UUID = "11111111-2222-4333-8444-666666666666"
DOMAIN = """
<domain type='qemu'>
  <name>maq5</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>/fw/CODE.fd</loader><nvram>{folder}/maq5_VARS.fd</nvram></os>
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
    """A machine with firmware and TPM, on whatever disk; removed by :meth:`remove`."""

    def __init__(self, bringing: Rehearsal, path: Path, form: str = "raw", kind: str = "file") -> None:
        self._bringing, self.folder, self.disk = bringing, bringing.kvm.folder / "disks", path
        self.nvram, self.tpm = self.folder / "maq5_VARS.fd", bringing.kvm.folder / "lib" / "swtpm" / UUID
        self.nvram.write_bytes(b"variables of last week")
        self.tpm.mkdir(parents=True, exist_ok=True)
        (self.tpm / "state").write_bytes(b"secrets of last week")
        described = bringing.kvm.folder / "maq5.xml"
        attribute = {"file": "file", "block": "dev"}[kind]
        facts = {"uuid": UUID, "folder": self.folder, "kind": kind, "form": form, "attribute": attribute}
        described.write_text(DOMAIN.format(path=path, **facts))
        bringing.kvm.virsh("define", f"--file={described}")

    def go_wrong(self) -> None:
        """Change what the firmware and the TPM remember."""
        self.nvram.write_bytes(b"variables of now")
        (self.tpm / "state").write_bytes(b"secrets of now")
        (self.tpm / "more").write_bytes(b"")

    def remove(self) -> None:
        """Take it, and what was kept of it, from the host."""
        self._bringing.kvm.run("virsh", "undefine", "--nvram", "--tpm", "--domain=maq5", check=False)
        for path in self.folder.glob("maq5*"):
            path.unlink()
        subprocess.run(["rm", "-rf", *map(str, self.tpm.parent.glob(f"{UUID}*"))], check=True)
        subprocess.run(["rm", "-rf", str(self._bringing.vault.root / "vm" / "maq5")], check=True)


@pytest.fixture
def special(bringing: Rehearsal) -> Iterator[Special]:
    """One on a raw disk, with its image in the vault."""
    disk = bringing.kvm.folder / "disks" / "maq5.img"
    disk.write_bytes(os.urandom(3 << 20))
    machine = Special(bringing, disk)
    bringing.image("maq5", "last week")
    yield machine
    machine.remove()


def test_firmware_and_tpm_come_back_in_place(bringing: Rehearsal, special: Special) -> None:
    """As they were; what they remembered since is kept beside them."""
    special.go_wrong()
    restored = bringing.in_place("maq5")
    assert special.nvram.read_bytes() == b"variables of last week"
    assert {path.name: path.read_bytes() for path in special.tpm.iterdir()} == {
        "state": b"secrets of last week"
    }
    kept = {Path(path).name.split(".before")[0]: Path(path) for path in restored.swapped.kept}
    assert sorted(kept) == [UUID, "maq5.img", "maq5_VARS.fd"]
    assert kept["maq5_VARS.fd"].read_bytes() == b"variables of now"
    tpm = bringing.kvm.folder / "lib" / "swtpm" / kept[UUID].name
    assert sorted(path.name for path in tpm.iterdir()) == ["more", "state"]
    assert special.tpm.stat().st_mode == tpm.stat().st_mode


def test_firmware_and_tpm_come_back_beside(bringing: Rehearsal, special: Special) -> None:
    """Under the new machine's own paths; the old machine's stay."""
    special.go_wrong()
    restored = bringing.beside("maq5", new_name="maq5-copy")
    try:
        new = bringing.kvm.folder / "lib" / "swtpm" / restored.swapped.uuid
        assert (special.folder / "maq5-copy_VARS.fd").read_bytes() == b"variables of last week"
        assert (new / "state").read_bytes() == b"secrets of last week"
        assert special.nvram.read_bytes() == b"variables of now"
        assert (special.tpm / "more").exists()
    finally:
        bringing.kvm.virsh("undefine", "--nvram", "--domain=maq5-copy")


def test_a_machine_that_is_gone_comes_back(bringing: Rehearsal, special: Special) -> None:
    """Undefined, its disks removed: as after the loss of its host."""
    content, uuid = special.disk.read_bytes(), bringing.kvm.virsh("domuuid", "--domain=maq5")
    bringing.kvm.virsh("undefine", "--nvram", "--domain=maq5")
    special.disk.unlink()
    restored = bringing.in_place("maq5")
    assert special.disk.read_bytes() == content
    assert restored.swapped.kept == ()
    assert (special.tpm / "state").read_bytes() == b"secrets of last week"
    assert bringing.kvm.virsh("domuuid", "--domain=maq5") == uuid


@pytest.mark.parametrize("size", ["+2M", "-1M"])
def test_a_disk_that_was_resized_has_its_old_size_again(
    bringing: Rehearsal, special: Special, size: str
) -> None:
    """Grown or shrunk since; only what differs is sent."""
    content = special.disk.read_bytes()
    subprocess.run(["qemu-img", "resize", "-q", "-f", "raw", "--shrink", str(special.disk), size], check=True)
    restored = bringing.in_place("maq5")
    assert special.disk.read_bytes() == content
    assert restored.sent_bytes == (0 if size == "+2M" else 1 << 20)


def test_a_disk_on_top_of_others_becomes_a_whole_one(bringing: Rehearsal, special: Special) -> None:
    """The file below it isn't touched, nor needed any more."""
    below = special.folder / "maq5-below.img"
    special.disk.rename(below)
    content = below.read_bytes()
    top = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(below), str(special.disk)]
    subprocess.run(top, check=True)
    bringing.kvm.run("virsh", "undefine", "--nvram", "--keep-tpm", "--domain=maq5", check=False)
    chained = Special(bringing, special.disk, "qcow2")
    bringing.image("maq5", "chained")
    write_noise(chained.disk, "qcow2", "0", "1M")
    restored = bringing.in_place("maq5")
    told = subprocess.run(["qemu-img", "info", str(chained.disk)], capture_output=True, text=True, check=True)
    assert "backing file" not in told.stdout
    assert bringing.content(chained.disk, "qcow2") == content == below.read_bytes()
    assert restored.sent_bytes == 1 << 20


@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_a_disk_whose_old_content_may_go_is_written_over(
    bringing: Rehearsal, special: Special, form: str
) -> None:
    """The file stays the same one: nothing is copied."""
    content, disk = special.disk.read_bytes(), special.disk
    if form == "qcow2":
        disk = special.folder / "maq5.qcow2"
        convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(special.disk), str(disk)]
        subprocess.run(convert, check=True)
        bringing.kvm.run("virsh", "undefine", "--nvram", "--keep-tpm", "--domain=maq5", check=False)
        Special(bringing, disk, "qcow2")
        bringing.image("maq5", "as QCOW2")
    inode = disk.stat().st_ino
    write_noise(disk, form, "1M", "64k")
    restored = bringing.in_place("maq5", keep_old=False)
    assert restored.sent_bytes == 1 << 20
    assert bringing.content(disk, form) == content
    assert disk.stat().st_ino == inode
    assert restored.swapped.kept == ()
    assert bringing.left_behind() == []


def test_a_disk_isnt_written_over_where_it_has_no_room_to_grow(bringing: Rehearsal) -> None:
    """Its holes take room when they are filled: that is known before it's touched."""
    on_host, here = bringing.kvm.run, bringing.kvm.folder / "disks" / "maq5.img"
    here.write_bytes(os.urandom(6 << 20))
    with mounted(bringing, "10M") as small:  # on the host: it isn't seen from here
        special = Special(bringing, Path(small) / "maq5.img")
        try:
            on_host("cp", str(here), small)
            bringing.image("maq5", "full of data")
            on_host("truncate", "--size=0", str(special.disk))
            on_host("truncate", "--size=6M", str(special.disk))
            with pytest.raises(
                MachineNotPossibleError, match=r"may grow by 0.01 GB\. The machine wasn't touched"
            ):
                bringing.in_place("maq5", keep_old=False)
            on_host("cmp", "--bytes=6M", str(special.disk), "/dev/zero")
            on_host("mount", "-o", "remount,size=20M", small)
            assert bringing.in_place("maq5", keep_old=False).sent_bytes == 0, "all of it is there already"
            on_host("cmp", str(special.disk), str(here))
        finally:
            special.remove()


def test_a_disk_that_has_another_name_too_isnt_written_over(bringing: Rehearsal, special: Special) -> None:
    """Under that name somebody keeps what it holds now."""
    write_noise(special.disk, "raw", "1M", "1M")
    other, now = special.folder / "maq5.kept", special.disk.read_bytes()
    other.hardlink_to(special.disk)
    bringing.in_place("maq5", keep_old=False)
    assert other.read_bytes() == now != special.disk.read_bytes()
    assert bringing.left_behind() == []


def test_a_machine_comes_back_into_another_folder(bringing: Rehearsal, special: Special) -> None:
    """In place: its definition names the new file, and the old file stays as it is."""
    before = special.disk.read_bytes()
    special.disk.write_bytes(b"gone wrong".ljust(len(before), b"!"))
    folder = special.folder / "maq5-new-place"
    folder.mkdir()
    try:
        bringing.in_place("maq5", folder=str(folder))
        assert (folder / "maq5.img").read_bytes() == before
        assert special.disk.read_bytes().startswith(b"gone wrong")
        assert str(folder / "maq5.img") in bringing.kvm.virsh("dumpxml", "--domain=maq5")
    finally:
        (folder / "maq5.img").unlink()
        folder.rename(special.folder.parent / "old place")


def test_a_block_device_is_written_directly_only_when_its_content_may_go(bringing: Rehearsal) -> None:
    """It can't be kept aside; beside, it becomes a file, for which a folder is needed."""
    kvm, backing = bringing.kvm, bringing.kvm.folder / "device.img"
    backing.write_bytes(os.urandom(4 << 20))
    content = backing.read_bytes()
    device = Path(kvm.run("losetup", "--find", "--show", str(backing)))
    machine = Special(bringing, device, kind="block")
    try:
        bringing.image("maq5", "last week")
        kvm.run("dd", "if=/dev/zero", f"of={device}", "bs=1M", "count=2", "oflag=direct")
        with pytest.raises(MachineNotPossibleError, match="is a block device: its old content can't be kept"):
            bringing.in_place("maq5")
        with pytest.raises(ConfigError, match=r"vda of maq5 is on a block device\. Name a folder"):
            bringing.beside("maq5", new_name="maq5-copy")
        restored = bringing.in_place("maq5", keep_old=False)
        assert restored.sent_bytes == 2 << 20
        assert device.read_bytes() == content
        bringing.beside("maq5", new_name="maq5-copy", folder=str(machine.folder))
        assert (machine.folder / "maq5-copy-vda.raw").read_bytes() == content
    finally:
        kvm.run("losetup", "--detach", str(device))
        kvm.run("virsh", "undefine", "--nvram", "--domain=maq5-copy", check=False)
        machine.remove()


def test_a_restored_machine_is_started_only_when_that_is_asked(bringing: Rehearsal) -> None:
    """And runs then; what a copy that can't start lacks is a warning: it's restored all the same."""
    started = bringing.in_place("maq1", start=True, keep_old=False)
    try:
        assert started.swapped.state == "running"
    finally:
        bringing.kvm.virsh("destroy", "--domain=maq1")


def test_a_start_that_fails_is_a_warning(bringing: Rehearsal, special: Special) -> None:
    """It's restored, and its host lacks its firmware."""
    restored = bringing.in_place("maq5", start=True)
    assert restored.swapped.state == "shut off"
    assert "It is restored, and can't be started" in " ".join(restored.warnings)
    assert special.disk.exists()
