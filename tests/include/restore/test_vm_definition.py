"""The definition of a VM beside the original, of recorded VMs and of one with every kind of device."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.errors import VaultError
from include.restore.vm_definition import NewVm, beside, files_beside, nvram_of, uuid_of
from tests.include.restore.vm_restores import Rehearsal, remove

RECORDED = sorted((Path(__file__).parents[1] / "agent" / "recorded" / "domains").glob("*/definition.xml"))
UUID = "0b0c9d1e-0000-4000-8000-000000000001"
NEW = NewVm("copy", UUID, "/new/copy_VARS.fd")
LEFT_OUT = ("hostdev", "filesystem", "shmem", "lease", "redirdev")
RICH = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>rich</name><uuid>11111111-2222-4333-8444-555555555555</uuid>
  <genid>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</genid>
  <memory unit='MiB'>64</memory>
  <sysinfo type='smbios'>
    <system><entry name='uuid'>11111111-2222-4333-8444-555555555555</entry></system>
  </sysinfo>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='pflash'>/fw/CODE.fd</loader>
    <nvram template='/fw/V.fd'>/vms/rich_VARS.fd</nvram>
    <smbios mode='sysinfo'/>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='/vms/rich.vda'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='/vms/rich.vdb'/><target dev='vdb' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <driver name='qemu' type='raw'/><source file='/iso/x.iso'/><target dev='sda' bus='sata'/><readonly/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:aa:bb:cc'/><source network='default'/><target dev='tap7'/><model type='virtio'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:aa:bb:cd'/><source bridge='br0'/>
      <virtualport type='openvswitch'>
        <parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
      </virtualport>
      <model type='virtio'/><link state='up'/>
    </interface>
    <interface type='hostdev' managed='yes'>
      <source><address type='pci' domain='0' bus='3' slot='16' function='4'/></source>
    </interface>
    <serial type='tcp'><source mode='bind' host='0.0.0.0' service='4555'/><protocol type='telnet'/></serial>
    <serial type='pty'><log file='/var/log/rich.log' append='on'/></serial>
    <channel type='unix'>
      <source mode='bind' path='/run/rich.agent'/><target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <graphics type='vnc' port='5907' autoport='no' websocket='5707' listen='0.0.0.0' passwd='secret'/>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <vsock model='virtio'><cid auto='no' address='42'/></vsock>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source><address domain='0' bus='4' slot='0' function='0'/></source>
    </hostdev>
    <filesystem type='mount'><source dir='/srv/shared'/><target dir='shared'/></filesystem>
  </devices>
  <qemu:commandline><qemu:arg value='-netdev'/><qemu:arg value='user,id=x'/></qemu:commandline>
</domain>
"""


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_a_recorded_definition_gets_another_identity(file: Path) -> None:
    """Another name, UUID and MAC addresses; its links are down."""
    xml = file.read_text(encoding="utf-8")
    require_another(ET.fromstring(xml), ET.fromstring(beside(xml, NEW)))  # noqa: S314 - recorded, and our own


def test_a_vm_with_every_kind_of_device_is_restored_beside_itself(rehearsal: Rehearsal) -> None:
    """Libvirt accepts the new definition. It has nothing that only one VM can have; warnings name that."""
    kvm = rehearsal.kvm
    disks = {"vda": kvm.folder / "rich.vda", "vdb": kvm.folder / "rich.vdb"}
    xml = RICH
    for old, path in zip(("/vms/rich.vda", "/vms/rich.vdb"), disks.values(), strict=True):
        xml = xml.replace(old, str(path))
        path.write_bytes(bytes(1 << 20))
    described = kvm.folder / "rich.xml"
    described.write_text(xml)
    kvm.virsh("define", f"--file={described}")
    xml = kvm.virsh("dumpxml", "--domain=rich", "--inactive", "--security-info")
    try:
        left_out = rehearsal.back_up("rich", "last week").record.left_out
        restored = rehearsal.beside("rich", new_name="copy")
        copy = ET.fromstring(kvm.virsh("dumpxml", "--domain=copy", "--inactive", "--security-info"))  # noqa: S314
    finally:
        for name in ("rich", "copy"):
            kvm.run("virsh", "undefine", "--nvram", f"--domain={name}", check=False)
        remove(rehearsal.vault.root / "vm" / "rich")
    require_another(ET.fromstring(xml), copy, name=restored.swapped.vm, uuid=restored.swapped.uuid)  # noqa: S314
    require_independent(copy)
    assert copy.find("./devices/graphics").get("passwd") == "secret"  # type: ignore[union-attr]
    warnings = " ".join(restored.warnings)
    assert [(one.kind, one.name, one.where) for one in left_out] == [
        ("cdrom", "sda", "/iso/x.iso"),
        ("share", "shared", "/srv/shared"),
        ("pci", "", "0000:04:00.0"),
        ("pci", "", "0000:03:10.4"),
        ("nvram", "", "/vms/rich_VARS.fd"),
        ("tpm", "", "/var/lib/libvirt/swtpm/11111111-2222-4333-8444-555555555555"),
    ]
    assert "Not in the image, so not restored: CD-ROM sda (/iso/x.iso); shared folder shared" in warnings
    for part in ("sda was emptied", "hostdev", "filesystem", "interface", "qemu:commandline"):
        assert part in warnings


def require_another(old: ET.Element, new: ET.Element, name: str = NEW.name, uuid: str = UUID) -> None:
    """Check that a definition has another identity than the other."""
    assert (new.findtext("name"), new.findtext("uuid")) == (name, uuid)
    for tag, key in (("mac", "address"), ("parameters", "interfaceid"), ("cid", "address")):
        theirs = {one.get(key) for one in old.iter(tag)} - {None}
        assert not theirs & {one.get(key) for one in new.iter(tag)}, tag
    interfaces = new.findall("./devices/interface")
    assert [link.get("state") for link in new.iterfind("./devices/interface/link")] == ["down"] * len(
        interfaces
    )
    assert new.findtext("./sysinfo/system/entry[@name='uuid']") in (None, uuid)


def require_independent(new: ET.Element) -> None:
    """Check that a definition has nothing of the host but its own disks."""
    devices = new.find("devices")
    assert devices is not None
    assert [one.tag for one in devices if one.tag in LEFT_OUT] == []
    assert [one for one in devices.findall("interface") if one.get("type") == "hostdev"] == []
    assert [one.get("port") for one in devices.iter("graphics")] == ["-1"]
    assert list(devices.iter("log")) == []
    assert {one.get(key) for key in ("path", "service", "dir") for one in devices.iter("source")} == {None}
    files = [one.get("file", "") for one in devices.iterfind("disk/source")]
    assert [Path(file).name for file in files] == ["copy-vda.raw", "copy-vdb.raw"]


def test_the_disks_of_a_new_vm_are_named_after_it() -> None:
    """Beside the original's, or in a folder; a disk on a block device needs one."""
    xml = RICH.replace("<disk type='file' device='disk'>", "<disk type='block' device='disk'>", 1)
    formats, paths = {"vda": "raw", "vdb": "qcow2"}, {"vda": "/dev/vg/rich", "vdb": "/vms/rich.vdb"}
    with pytest.raises(KeyError, match="vda"):
        files_beside(xml, "copy", None, formats, paths)
    found = files_beside(xml, "copy", "/new", formats, paths)
    assert found == {"vda": "/new/copy-vda.raw", "vdb": "/new/copy-vdb.qcow2"}
    assert files_beside(xml, "copy", None, {"vdb": "qcow2"}, paths) == {"vdb": "/vms/copy-vdb.qcow2"}


def test_uuid_and_nvram_are_read_from_a_definition() -> None:
    """Libvirt writes the NVRAM's path in two ways."""
    assert uuid_of(RICH) == "11111111-2222-4333-8444-555555555555"
    assert nvram_of(RICH) == "/vms/rich_VARS.fd"
    assert nvram_of("<domain><os><nvram type='file'><source file='/a'/></nvram></os></domain>") == "/a"
    assert nvram_of("<domain/>") is None
    with pytest.raises(VaultError, match="isn't XML"):
        uuid_of("<domain")
