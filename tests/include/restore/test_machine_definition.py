"""What a machine's definition becomes beside it: real ones, and one of all that libvirt takes."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.restore.machine_definition import NewMachine, beside, files_beside, in_place, nvram_of, uuid_of
from tests.include.restore.bringing_back import Rehearsal

pytestmark = pytest.mark.xdist_group("kvm")

RECORDED = sorted((Path(__file__).parents[1] / "agent" / "recorded" / "domains").glob("*/definition.xml"))
UUID = "0b0c9d1e-0000-4000-8000-000000000001"
BECOMES = NewMachine("copy", UUID, {"vda": "/new/copy-vda.qcow2"}, "/new/copy_VARS.fd")
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
    <disk type='block' device='disk'>
      <driver name='qemu' type='raw'/><source dev='/dev/vg/rich'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='/vms/rich.vdb'/><target dev='vdb' bus='virtio'/>
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
def test_a_recorded_definition_shares_nothing_with_its_machine(file: Path) -> None:
    """Another name, UUID and MAC address, links down, nothing of the host's that only one can have."""
    xml = file.read_text(encoding="utf-8")
    alone(ET.fromstring(xml), ET.fromstring(beside(xml, BECOMES).xml))  # noqa: S314 - libvirt's, and our own


def test_libvirt_takes_the_definition_of_a_copy_of_a_machine_with_everything(bringing: Rehearsal) -> None:
    """Beside the machine itself; what was left out is told."""
    kvm = bringing.kvm
    described = kvm.folder / "rich.xml"
    described.write_text(RICH)
    kvm.virsh("define", f"--file={described}")
    xml = kvm.virsh("dumpxml", "--domain=rich", "--inactive", "--security-info")
    disks = {"vda": "/new/copy-vda.raw", "vdb": "/new/copy-vdb.qcow2"}
    copied = beside(xml, NewMachine("copy", UUID, disks, "/new/copy_VARS.fd"))
    described.write_text(copied.xml)
    try:
        kvm.virsh("define", f"--file={described}")
        copy = ET.fromstring(kvm.virsh("dumpxml", "--domain=copy", "--inactive", "--security-info"))  # noqa: S314
    finally:
        for name in ("rich", "copy"):
            kvm.run("virsh", "undefine", "--nvram", f"--domain={name}", check=False)
    alone(ET.fromstring(xml), copy)  # noqa: S314 - libvirt's
    sources = [one.attrib for one in copy.findall("./devices/disk/source")]
    assert sources == [{"file": path} for path in disks.values()]
    assert copy.find("./devices/graphics").get("passwd") == "secret"  # type: ignore[union-attr]
    told = " ".join(copied.warnings)
    for word in ("sda", "a device of the host's", "a folder of the host's", "hostdev", "qemu:commandline"):
        assert word in told


def alone(old: ET.Element, new: ET.Element) -> None:
    """See that a definition has nothing that only one machine can have, and that the other has."""
    assert (new.findtext("name"), new.findtext("uuid")) == (BECOMES.name, UUID)
    devices = new.find("devices")
    assert devices is not None
    assert [one.tag for one in devices if one.tag in LEFT_OUT] == []
    for tag, key in (
        ("mac", "address"),
        ("parameters", "interfaceid"),
        ("cid", "address"),
        ("graphics", "port"),
    ):
        theirs = {one.get(key) for one in old.iter(tag)} - {None, "-1"}
        assert not theirs & {one.get(key) for one in new.iter(tag)}, tag
    interfaces = devices.findall("interface")
    assert [one.get("state") for one in devices.findall("interface/link")] == ["down"] * len(interfaces)
    assert [one for one in interfaces if one.get("type") == "hostdev"] == []
    assert list(devices.iter("log")) == []
    assert {one.get(key) for key in ("path", "service", "dir") for one in devices.iter("source")} <= {None}
    if old.find("./os/nvram") is not None:
        assert new.findtext("./os/nvram") == BECOMES.nvram
    assert new.findtext("./sysinfo/system/entry[@name='uuid']") in (None, UUID)


def test_in_place_only_moved_disks_change() -> None:
    """And none needs a file below it any more: what is restored is whole."""
    disks = "".join(
        f"<disk type='block'><source dev='/dev/{name}'/><backingStore/><target dev='{name}'/></disk>"
        for name in ("vda", "vdb")
    )
    xml = f"<domain><uuid>u</uuid><devices>{disks}</devices></domain>"
    moved = ET.fromstring(in_place(xml, {"vdb": "/new/b"}).xml)  # noqa: S314 - our own
    assert [source.attrib for source in moved.iter("source")] == [{"dev": "/dev/vda"}, {"file": "/new/b"}]
    assert list(moved.iter("backingStore")) == []


def test_the_files_of_a_copy_are_named_after_it() -> None:
    """Where the old ones lie, or in a folder; a disk on a block device needs one."""
    formats, paths = {"vda": "raw", "vdb": "qcow2"}, {"vda": "/dev/vg/rich", "vdb": "/vms/rich.vdb"}
    with pytest.raises(KeyError, match="vda"):
        files_beside(RICH, "copy", None, formats, paths)
    found = files_beside(RICH, "copy", "/new", formats, paths)
    assert found == {"vda": "/new/copy-vda.raw", "vdb": "/new/copy-vdb.qcow2"}
    assert files_beside(RICH, "copy", None, {"vdb": "qcow2"}, paths) == {"vdb": "/vms/copy-vdb.qcow2"}


def test_what_a_definition_says_of_itself() -> None:
    """UUID and NVRAM, in both ways in which libvirt writes it."""
    assert uuid_of(RICH) == "11111111-2222-4333-8444-555555555555"
    assert nvram_of(RICH) == "/vms/rich_VARS.fd"
    assert nvram_of("<domain><os><nvram type='file'><source file='/a'/></nvram></os></domain>") == "/a"
    assert nvram_of("<domain/>") is None
