"""What a domain names and no image has: the forms of libvirt's "Domain XML format", each by kind."""

import time
import xml.etree.ElementTree as ET
from typing import get_args

import pytest

from include.agent.left_out import KINDS, left_out
from include.vms.left_out import Kind

DEVICES = {
    "a CD-ROM": (
        "<disk type='file' device='cdrom'><source file='/isos/a.iso'/><target dev='hda'/></disk>",
        ("cdrom", "hda", "/isos/a.iso"),
    ),
    "a CD-ROM of the host": (
        "<disk type='block' device='cdrom'><source dev='/dev/sr0'/><target dev='hda'/></disk>",
        ("cdrom", "hda", "/dev/sr0"),
    ),
    "a CD-ROM on the network": (
        """<disk type='network' device='cdrom'><source protocol='https' name='a.iso'><host name='isos'/>
        </source><target dev='hda'/></disk>""",
        ("cdrom", "hda", "https:isos/a.iso"),
    ),
    "a CD-ROM of a pool": (
        "<disk type='volume' device='cdrom'><source pool='isos' volume='a.iso'/><target dev='hda'/></disk>",
        ("cdrom", "hda", "isos/a.iso"),
    ),
    "a floppy of files": (
        "<disk type='dir' device='floppy'><source dir='/srv/floppy'/><target dev='fda'/></disk>",
        ("floppy", "fda", "/srv/floppy"),
    ),
    "a folder, by 9p": (
        "<filesystem type='mount'><source dir='/srv/data'/><target dir='data'/></filesystem>",
        ("share", "data", "/srv/data"),
    ),
    "a folder, by virtiofs": (
        """<filesystem type='mount'><driver type='virtiofs'/><source socket='/run/fs.sock'/>
        <target dir='data'/></filesystem>""",
        ("share", "data", "/run/fs.sock"),
    ),
    "a folder that is a template": (
        "<filesystem type='template'><source name='tree'/><target dir='/'/></filesystem>",
        ("share", "/", "tree"),
    ),
    "a file system in a file": (
        "<filesystem type='file'><source file='/fs.img'/><target dir='/data'/></filesystem>",
        ("share", "/data", "/fs.img"),
    ),
    "a PCI device": (
        """<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/>
        <source><address domain='0x0000' bus='0x3b' slot='0x00' function='0x1'/></source></hostdev>""",
        ("pci", "", "0000:3b:00.1"),
    ),
    "a PCI device without numbers": (
        "<hostdev type='pci'><source><address slot='evil'/></source></hostdev>",
        ("pci", "", "0:0:evil:0"),
    ),
    "a USB device": (
        """<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='0x046d'/>
        <product id='0x0825'/></source></hostdev>""",
        ("usb", "", "046d:0825"),
    ),
    "a USB port": (
        "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>",
        ("usb", "", "bus 1 device 2"),
    ),
    "a mediated device": (
        """<hostdev mode='subsystem' type='mdev' model='vfio-pci'>
        <source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>""",
        ("mdev", "", "c2177883-f1bb-47f0-914d-32a22e3a8804"),
    ),
    "a block device of the host": (
        "<hostdev mode='capabilities' type='storage'><source><block>/dev/sdf1</block></source></hostdev>",
        ("host_device", "", "/dev/sdf1"),
    ),
    "a network card of the host": (
        """<interface type='hostdev'><source><address type='pci' domain='0' bus='0' slot='7' function='0'/>
        </source></interface>""",
        ("pci", "", "0000:00:07.0"),
    ),
    "an NVDIMM": (
        "<memory model='nvdimm'><source><path>/pmem/a</path></source><target/></memory>",
        ("memory", "nvdimm", "/pmem/a"),
    ),
    "virtio-pmem": (
        "<memory model='virtio-pmem'><source><path>/pmem/a</path></source></memory>",
        ("memory", "virtio-pmem", "/pmem/a"),
    ),
    "shared memory": (
        "<shmem name='shm0'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
        ("shared_memory", "shm0", ""),
    ),
    "shared memory of a server": (
        "<shmem name='shm0'><model type='ivshmem-doorbell'/><server path='/run/shm.sock'/></shmem>",
        ("shared_memory", "shm0", "/run/shm.sock"),
    ),
    "a smart card": ("<smartcard mode='host'/>", ("smartcard", "", "")),
    "certificates": (
        """<smartcard mode='host-certificates'><certificate>cert1</certificate>
        <certificate>cert2</certificate><certificate>cert3</certificate><database>/etc/pki/nssdb</database></smartcard>""",
        ("smartcard", "cert1 cert2 cert3", "/etc/pki/nssdb"),
    ),
    "a crash log": (
        "<pstore backend='acpi-erst'><path>/vms/pstore</path><size unit='KiB'>8</size></pstore>",
        ("pstore", "", "/vms/pstore"),
    ),
    "a TPM in a file": (
        "<tpm><backend type='emulator'><source type='file' path='/vms/a.tpm'/></backend></tpm>",
        ("tpm", "", "/vms/a.tpm"),
    ),
    "the host's TPM": (
        "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
        ("tpm", "", "/dev/tpm0"),
    ),
    "a TPM of another program": (
        "<tpm><backend type='external'><source type='unix' mode='connect' path='/run/tpm'/></backend></tpm>",
        ("tpm", "", "/run/tpm"),
    ),
    "an encrypted TPM": (
        "<tpm><backend type='emulator'><encryption secret='6dd3e4a5-1d76'/></backend></tpm>",
        ("tpm_key", "", "6dd3e4a5-1d76"),
    ),
}
SYSTEMS = {
    "a kernel": ("<os><kernel>/boot/k</kernel></os>", ("boot_file", "kernel", "/boot/k")),
    "an initial RAM disk": ("<os><initrd>/boot/i</initrd></os>", ("boot_file", "initrd", "/boot/i")),
    "a device tree": ("<os><dtb>/boot/d</dtb></os>", ("boot_file", "dtb", "/boot/d")),
    "a shim": ("<os><shim>/boot/s</shim></os>", ("boot_file", "shim", "/boot/s")),
    "a licence": (
        "<os><acpi><table type='slic'>/fw/slic</table></acpi></os>",
        ("boot_file", "acpi table", "/fw/slic"),
    ),
    "a file of the firmware": (
        "<sysinfo type='fwcfg'><entry name='opt/a'>text</entry><entry name='opt/b' file='/b.ign'/></sysinfo>",
        ("boot_file", "opt/b", "/b.ign"),
    ),
    "NVRAM on the network": (
        """<os><nvram type='network'><source protocol='iscsi' name='iqn.x'><host name='san'/></source>
        </nvram></os>""",
        ("nvram", "", "iscsi:san/iqn.x"),
    ),
    "NVRAM in a pool": (
        "<os><nvram type='volume'><source pool='p' volume='v'/></nvram></os>",
        ("nvram", "", "p/v"),
    ),
    "a varstore": ("<os><varstore template='/fw/v' path='/vms/v.json'/></os>", ("nvram", "", "/vms/v.json")),
    "writable firmware": (
        "<os><loader type='pflash' readonly='no'>/vms/OVMF.fd</loader></os>",
        ("nvram", "", "/vms/OVMF.fd"),
    ),
}
OPTIONS = {
    "a drive": (
        ["-drive", "file=/vms/hidden.qcow2,if=virtio"],
        ("-drive", "file=/vms/hidden.qcow2,if=virtio"),
    ),
    "a drive, with two dashes": (["--drive", "file=a"], ("-drive", "file=a")),
    "a block device": (["-blockdev", '{"driver":"file"}'], ("-blockdev", '{"driver":"file"}')),
    "a folder": (["-fsdev", "local,id=a,path=/srv/a"], ("-fsdev", "local,id=a,path=/srv/a")),
    "a file of memory": (
        ["-object", "memory-backend-file,mem-path=/pmem/a"],
        ("-object", "memory-backend-file,mem-path=/pmem/a"),
    ),
    "a PCI device": (["-device", "vfio-pci,host=03:00.0"], ("-device", "vfio-pci,host=03:00.0")),
    "a USB device": (["-device", "usb-host,vendorid=1"], ("-device", "usb-host,vendorid=1")),
    "a device in JSON": (["-device", '{"driver":"vfio-pci"}'], ("-device", '{"driver":"vfio-pci"}')),
    "a file of the firmware": (["-fw_cfg", "name=opt/a,file=/a"], ("-fw_cfg", "name=opt/a,file=/a")),
    "a password": (["-drive", "file=https://me:secret@isos/a"], ("-drive", "file=https://isos/a")),
    "a password with a comma": (["-drive", "file=ssh://me:se,,cret@a/b"], ("-drive", "file=ssh://a/b")),
    "a password of its own": (
        ["-drive", "file=iscsi://a/b,password=se,,cret,if=none"],
        ("-drive", "file=iscsi://a/b,password=...,if=none"),
    ),
    "a key": (
        ["-drive", "file=rbd:vms/a:id=me:key=c2Vj==:mon_host=a,if=none"],
        ("-drive", "file=rbd:vms/a:id=me:key=...:mon_host=a,if=none"),
    ),
    "a secret": (["-object", "secret,id=a,data=/9j2"], ("-object", "secret,id=a,data=...")),
    "a secret in JSON": (
        ["-object", '{"qom-type":"secret","data": "/9,j2","id":"a"}'],
        ("-object", '{"qom-type":"secret","data": "...","id":"a"}'),
    ),
    "a key at the beginning": (["-iscsi", "password=a,b=/c"], ("-iscsi", "password=...,b=/c")),
    "the name of a secret": (
        ["-drive", "file=/a,encrypt.key-secret=a"],
        ("-drive", "file=/a,encrypt.key-secret=a"),
    ),
}
NOTHING = {
    "an empty drive": "<disk type='file' device='cdrom'><target dev='hda'/></disk>",
    "a disk": "<disk type='file'><source file='/vms/a'/><target dev='vda'/></disk>",
    "a file system in memory": "<filesystem type='ram'><source usage='9'/><target dir='/tmp'/></filesystem>",
    "a SCSI device": "<hostdev mode='subsystem' type='scsi'><source/></hostdev>",
    "memory": "<memory model='dimm'><source><pagesize unit='KiB'>4</pagesize></source></memory>",
    "a network card": "<interface type='network'><source network='default'/></interface>",
    "a smart card of the viewer": "<smartcard mode='passthrough' type='spicevmc'/>",
    "an emulated TPM": "<tpm><backend type='emulator'><source type='dir' path='/tpm'/></backend></tpm>",
}
NO_DATA = (["-chardev", "socket,path=/run/a"], ["-device", "intel-iommu"], ["-cpu", "host"], ["-snapshot"])


def found(xml: str) -> list[tuple[str, str, str]]:
    """Return kind, name and place of what a domain's definition names."""
    root = ET.fromstring(f"<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{xml}</domain>")  # noqa: S314 - ours
    return [(one["kind"], one["name"], one["where"]) for one in left_out(root)]


def commandline(words: list[str]) -> str:
    """Return QEMU options as libvirt's XML has them."""
    root = ET.Element("qemu:commandline")
    for word in words:
        ET.SubElement(root, "qemu:arg", value=word)
    return ET.tostring(root, encoding="unicode")


@pytest.mark.parametrize("form", DEVICES)
def test_a_device_that_holds_data_is_named(form: str) -> None:
    """With its place on the host."""
    xml, expected = DEVICES[form]
    assert found(f"<devices>{xml}</devices>") == [expected]


@pytest.mark.parametrize("form", SYSTEMS)
def test_what_a_vm_boots_with_is_named(form: str) -> None:
    """Files of the host, and variables that can't be saved."""
    xml, expected = SYSTEMS[form]
    assert found(xml) == [expected]


@pytest.mark.parametrize("form", OPTIONS)
def test_an_option_of_qemu_that_leads_to_data_is_named(form: str) -> None:
    """Libvirt knows nothing of it, and no password is shown."""
    words, expected = OPTIONS[form]
    assert found(commandline(["-snapshot", *words, "-S"])) == [("qemu_option", *expected)]


@pytest.mark.parametrize("form", NOTHING)
def test_what_holds_no_data_isnt_named(form: str) -> None:
    """Nor what is in the image, or prevents one."""
    assert found(f"<devices>{NOTHING[form]}</devices>") == []


@pytest.mark.parametrize("words", NO_DATA, ids=" ".join)
def test_an_option_of_qemu_that_leads_to_no_data_isnt_named(words: list[str]) -> None:
    """Nobody reads a list that is too long."""
    assert found(commandline(words)) == []


def test_what_only_the_running_vm_has_is_named_too_and_each_thing_once() -> None:
    """A USB device can be there until the next stop; a CD-ROM, changed since the VM was started."""
    usb, cdrom = (f"<devices>{DEVICES[form][0]}</devices>" for form in ("a USB device", "a CD-ROM"))
    off, on = (ET.fromstring(f"<domain>{xml}</domain>") for xml in (cdrom, usb + cdrom))  # noqa: S314 - ours
    assert [one["kind"] for one in left_out(off, on)] == ["cdrom", "usb"]


def test_a_definition_with_very_many_devices_takes_no_time() -> None:
    """One from a vault may have any number."""
    drive = "<disk device='cdrom'><source file='/{0}'/><target dev='{0}'/></disk>"
    drives = "".join(drive.format(number) for number in range(10_000))
    began = time.process_time()
    assert len(found(f"<devices>{drives}</devices>")) == 10_000
    assert time.process_time() - began < 2


def test_every_kind_is_tested_and_one_that_the_vault_knows() -> None:
    """The agent can't import the vault's model."""
    tested = {expected[0] for _, expected in (*DEVICES.values(), *SYSTEMS.values())} | {
        "qemu_option",
        "snapshots",
    }
    assert tested == set(KINDS) == set(get_args(Kind))
