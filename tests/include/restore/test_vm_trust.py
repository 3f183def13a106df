"""What another host wrote into the vault gains nothing on this one."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from include.errors import VaultError, VmNotPossibleError
from include.restore.vm import RestoredVm
from include.vms.archive import PublishedVm
from tests.include.agent.tar_files import tar
from tests.include.restore.vm_restores import Rehearsal, copied, remove

HOSTILE = """
<filesystem type='mount'><source dir='/'/><target dir='evil'/></filesystem>
<disk type='file' device='cdrom'><source file='/etc/shadow'/><target dev='hdc' bus='ide'/><readonly/></disk>
<serial type='file'><source path='/etc/cron.d/evil'/></serial>
<interface type='network'><source network='default'/></interface>
"""
COMMANDLINE = (
    "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    "<qemu:arg value='-evil'/></qemu:commandline>"
)
EXTRA_DISK = "<disk type='block'><source dev='/dev/sda'/><target dev='vdz' bus='virtio'/></disk>"


@contextmanager
def doctored(rehearsal: Rehearsal, *changes: tuple[str, str]) -> Iterator[PublishedVm]:
    """Copy the generation as a compromised host would have written it: another definition."""
    [good] = rehearsal.generations("maq1")
    other = copied(good, good.instant + timedelta(days=7))
    xml = other.file("domain.xml").read_text(encoding="utf-8")
    for pattern, text in changes:
        assert re.search(pattern, xml), pattern
        xml = re.sub(pattern, lambda _, text=text: text, xml, count=1)  # type: ignore[misc]
    _replace(other, "domain.xml", xml.encode())
    try:
        yield other
    finally:
        remove(other.folder)


def _replace(generation: PublishedVm, name: str, content: bytes) -> None:
    file, sums = generation.file(name), generation.sums
    old = hashlib.sha256(file.read_bytes()).hexdigest()
    for path in (file, sums):
        path.chmod(0o600)
    file.write_bytes(content)
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(content).hexdigest()))


@pytest.fixture
def lost(rehearsal: Rehearsal) -> Iterator[Rehearsal]:
    """The host without the VM and its disks, as another host is."""
    kvm, xml = rehearsal.kvm, rehearsal.kvm.folder / "maq1.lost.xml"
    xml.write_text(kvm.virsh("dumpxml", "--domain=maq1", "--inactive"))
    kvm.virsh("undefine", "--domain=maq1")
    disks = [kvm.disk("maq1", target) for target in ("vda", "vdb")]
    for disk in disks:
        disk.rename(disk.with_name(f"{disk.name}.lost"))
    yield rehearsal
    kvm.run("virsh", "undefine", "--domain=maq1", check=False)
    for disk in disks:
        disk.with_name(f"{disk.name}.lost").rename(disk)
    kvm.virsh("define", f"--file={xml}")


def in_place(rehearsal: Rehearsal, run: str, generation: PublishedVm) -> RestoredVm:
    """Restore a generation in place, on a host whose folder of disks the site file names."""
    restore = rehearsal.restore("maq1", run, how="in place", generation=generation.name)
    folder = str(rehearsal.kvm.folder / "disks")
    return replace(restore, host=replace(restore.host, disk_folders=(folder,))).run_all()


def definition(rehearsal: Rehearsal, name: str = "maq1") -> ET.Element:
    """Return a VM's definition, parsed."""
    return ET.fromstring(rehearsal.kvm.virsh("dumpxml", f"--domain={name}", "--inactive"))  # noqa: S314


def test_nothing_hostile_gets_into_a_definition_of_another_host(lost: Rehearsal) -> None:
    """Neither devices of the host nor options of QEMU. The report names what was left out."""
    emulator = ("<emulator>.*?</emulator>", "<emulator>/evil/qemu</emulator>")
    with doctored(lost, emulator, ("</devices>", f"{HOSTILE}</devices>{COMMANDLINE}")) as generation:
        restored = in_place(lost, "hostile", generation)
    found = definition(lost)
    text = ET.tostring(found, encoding="unicode")
    assert "evil" not in text
    assert "/etc" not in text
    assert [link.get("state") for link in found.iterfind("./devices/interface/link")] == ["down"]
    warnings = " ".join(restored.warnings)
    for part in ("hdc was emptied", "emulator", "filesystem", "qemu:commandline", "serial was connected"):
        assert part in warnings
    assert "Its network link to default is down" in warnings


def test_a_disk_that_isnt_in_the_backup_is_refused(lost: Rehearsal) -> None:
    """It could be any disk of the host."""
    with (
        doctored(lost, ("</devices>", f"{EXTRA_DISK}</devices>")) as generation,
        pytest.raises(VmNotPossibleError, match="has the disk vdz, which isn't in the backup"),
    ):
        in_place(lost, "another disk", generation)


@contextmanager
def redefined(rehearsal: Rehearsal, old: str, new: str) -> Iterator[str]:
    """Change the host's own definition of the VM; yield it."""
    kvm, described = rehearsal.kvm, rehearsal.kvm.folder / "own.xml"
    before = kvm.virsh("dumpxml", "--domain=maq1", "--inactive")
    assert old in before
    described.write_text(before.replace(old, new))
    kvm.virsh("define", f"--file={described}")
    try:
        yield kvm.virsh("dumpxml", "--domain=maq1", "--inactive")
    finally:
        described.write_text(before)
        kvm.virsh("undefine", "--domain=maq1")
        kvm.virsh("define", f"--file={described}")


def test_the_hosts_own_definition_is_kept_in_place(rehearsal: Rehearsal) -> None:
    """What its administrator gave the VM stays, if the backup has it as well; the rest doesn't."""
    share = "<filesystem type='mount'><source dir='/srv'/><target dir='own'/></filesystem></devices>"
    with redefined(rehearsal, "</devices>", share) as own, doctored(rehearsal, ("(?s).*", own)) as with_share:
        assert rehearsal.in_place("maq1", "own", generation=with_share.name).warnings == ()
        assert rehearsal.kvm.virsh("dumpxml", "--domain=maq1", "--inactive") == own
    with doctored(rehearsal, ("(?s).*", own)) as with_share:
        restore = rehearsal.restore("maq1", "later", how="in place", generation=with_share.name)
        [warning] = restore.check().warnings
    assert warning.startswith("Left out of the definition, because it may lead to the host: filesystem")


def test_a_new_vm_beside_boots_the_same_kernel(rehearsal: Rehearsal) -> None:
    """If the host's own definition of the original has it. Devices of the host stay with the original."""
    kernel = "<kernel>/boot/vmlinuz</kernel><cmdline>quiet</cmdline></os>"
    with redefined(rehearsal, "</os>", kernel) as own, doctored(rehearsal, ("(?s).*", own)) as generation:
        restore = rehearsal.restore("maq1", "kernel", new_name="maq1-kernel", generation=generation.name)
        assert "os/" not in " ".join(restore.check().warnings)
    with doctored(rehearsal, ("(?s).*", own)) as generation:
        assert "os/kernel, os/cmdline" in " ".join(restore.check().warnings)


def test_a_path_of_the_backup_is_refused_where_the_host_doesnt_keep_disks(rehearsal: Rehearsal) -> None:
    """It comes from the other host; a folder that a person names, or a storage pool has, is fine."""
    kvm, folder = rehearsal.kvm, rehearsal.kvm.folder / "elsewhere"
    folder.mkdir()
    restore = rehearsal.restore("maq1", how="in place")
    order = restore.order()
    disks = tuple(
        disk.model_copy(update={"path": str(folder / Path(disk.path).name)}) for disk in order.disks
    )
    order = order.model_copy(update={"disks": disks})
    with pytest.raises(VmNotPossibleError, match="isn't where restores may write on this host"):
        restore.host.check_restore(order)
    kvm.virsh("pool-define-as", "--name=elsewhere", "--type=dir", f"--target={folder}")
    try:
        assert [place.path for place in restore.host.check_restore(order).disks] == [
            disk.path for disk in disks
        ]
    finally:
        kvm.virsh("pool-undefine", "--pool=elsewhere")
    for named in (str(folder), str(folder.parent)):
        assert restore.host.check_restore(order.model_copy(update={"folders": (named,)})).disks


def test_firmware_is_written_only_where_libvirt_keeps_it(lost: Rehearsal) -> None:
    """Its paths come from the other host, too."""
    loader = "<loader readonly='yes' type='pflash'>/usr/share/none/CODE.fd</loader>"
    nvram = "<nvram template='/etc/shadow'>/etc/cron.d/evil</nvram></os>"
    tpm = (
        "<tpm model='tpm-tis'><backend type='emulator' version='2.0'><source type='dir' path='/etc/cron.d'/>"
    )
    changes = ("</os>", loader + nvram), ("</devices>", f"{tpm}</backend></tpm></devices>")
    (lost.kvm.folder / "lib" / "swtpm").mkdir(exist_ok=True)
    with doctored(lost, *changes) as generation:
        restore = lost.restore("maq1", how="in place", generation=generation.name)
        order = restore.order()
        folders = (str(lost.kvm.folder / "disks"),)
        files = {"nvram.fd": b"variables", "tpm.tar": tar({"state": b"x"})}
        checked = restore.host.check_restore(order.model_copy(update={"files": files, "folders": folders}))
    warnings = " ".join(checked.warnings)
    assert "/var/lib/libvirt/qemu/nvram/maq1_VARS.fd now, not /etc/cron.d/evil" in warnings
    assert "os/nvram@template" in warnings
    assert "tpm/backend/source" in warnings


@pytest.mark.parametrize("what", ["name", "uuid"])
def test_a_definition_of_another_vm_is_refused(rehearsal: Rehearsal, what: str) -> None:
    """Otherwise a restore of one VM could overwrite another one of the host."""
    other = {"name": "maq2", "uuid": "11111111-2222-4333-8444-555555555555"}[what]
    with (
        doctored(rehearsal, (f"<{what}>.*?</{what}>", f"<{what}>{other}</{what}>")) as generation,
        pytest.raises(VaultError, match=f"is that of .*{other}.*, and not of maq1"),
    ):
        rehearsal.in_place("maq1", "another VM", generation=generation.name)


def test_a_file_that_isnt_the_vms_own_is_kept(lost: Rehearsal) -> None:
    """In a folder where restores may write, too: the backup only says that it was the VM's."""
    theirs = lost.kvm.disk("maq1", "vda")
    theirs.write_bytes(b"another's")
    restore = lost.restore("maq1", "kept", how="in place", keep_old=False)
    order = restore.order().model_copy(update={"folders": (str(theirs.parent),)})
    try:
        with pytest.raises(VmNotPossibleError, match="isn't maq1's as this host has defined it"):
            restore.host.check_restore(order)
        found = restore.host.check_restore(order.model_copy(update={"keep_old": True}))
        assert [disk.base for disk in found.disks] == [False, False]
    finally:
        theirs.unlink()
