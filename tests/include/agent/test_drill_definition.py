"""What becomes of definitions in a drill, recorded and hostile ones: nothing leads out."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.agent.drill_definition import Drilled, drilled

RECORDED = sorted((Path(__file__).with_name("recorded") / "domains").glob("*/definition.xml"))
UEFI, TPM = ((Path(__file__).with_name("recorded") / "domains" / name) for name in ("uefi", "tpm"))
ROOM = Path("/room")
GIVEN = Drilled("drill-1", "0b0c9d1e-0000-4000-8000-000000000001", ROOM, {"vda": ROOM / "vda.qcow2"}, 2**30)
DEVICES = {"disk", "controller", "input", "rng", "channel", "watchdog", "panic", "iommu"}
DEVICES |= {"video", "serial", "memballoon"}
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
EVIL = "/evil"
"""In each path of a hostile definition that must not be in a drill's."""


def root_of(definition: str, given: Drilled = GIVEN) -> ET.Element:
    """Give the definition of a drill, read."""
    return ET.fromstring(drilled(definition, given).xml)  # noqa: S314 - our own


def machine(devices: str = "", rest: str = "", kind: str = "kvm") -> str:
    """Give a machine's definition."""
    return (
        f"<domain type='{kind}' xmlns:qemu='{QEMU}'><name>maq1</name>"
        "<uuid>6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001</uuid><memory unit='GiB'>64</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os>{rest}<devices>{devices}</devices></domain>"
    )


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_a_recorded_definition_is_isolated(file: Path) -> None:
    """Another name and UUID, no network, nothing passed through, and no file that is written outside."""
    was = file.read_text(encoding="utf-8")
    root, old = root_of(was), ET.fromstring(was)  # noqa: S314 - recorded
    devices = root.find("devices")
    assert devices is not None
    assert (root.findtext("name"), root.findtext("uuid")) == (GIVEN.name, GIVEN.uuid)
    assert {device.tag for device in devices} <= DEVICES
    named = {value for element in devices.iter("source") for value in element.attrib.values()}
    assert all(value.startswith("/room/") for value in named), named
    assert all((nvram.text or "").startswith("/room/") for nvram in root.iter("nvram"))
    assert int(root.findtext("memory", "0")) <= 2**20
    assert str(old.findtext("uuid")) not in drilled(was, GIVEN).xml
    assert root.find("os/type") is not None
    assert len(devices.findall("video")) == 1


HOSTILE_DEVICES = {
    "emulator": "<emulator>/evil/qemu</emulator>",
    "backing chain": "<disk type='file' device='disk'><driver name='qemu' type='qcow2' io='native'/>"
    "<source file='/evil/disk'><reservations managed='no'><source type='unix' path='/evil/pr'/>"
    "</reservations></source><backingStore type='file'><format type='raw'/><source file='/evil/below'/>"
    "</backingStore><mirror type='file'><source file='/evil/mirror'/></mirror>"
    "<target dev='vda' bus='virtio'/></disk>",
    "another disk": "<disk type='block' device='disk'><source dev='/dev/evil'/><target dev='vdb'/></disk>",
    "lun": "<disk type='block' device='lun' rawio='yes' sgio='unfiltered'><source dev='/dev/evil'/>"
    "<target dev='vda' bus='scsi'/></disk>",
    "cdrom": "<disk type='file' device='cdrom'><source file='/evil/iso'/><target dev='sda'/></disk>",
    "network disk": "<disk type='network' device='floppy'><source protocol='http' name='evil'>"
    "<host name='evil'/></source><target dev='fda'/></disk>",
    "hostdev": "<hostdev mode='subsystem' type='pci'><source><address bus='0x66'/></source></hostdev>",
    "filesystem": "<filesystem type='mount'><source dir='/evil'/><target dir='evil'/></filesystem>",
    "interface": "<interface type='bridge'><mac address='52:54:00:66:66:66'/>"
    "<source bridge='evil'/></interface>",
    "egd": "<rng model='virtio'><backend model='egd' type='udp'>"
    "<source mode='connect' host='evil' service='1'/></backend></rng>",
    "random": "<rng model='virtio'><backend model='random'>/evil/random</backend></rng>",
    "serial to a file": "<serial type='file'><source path='/evil/serial'/><log file='/evil/log'/></serial>",
    "serial to tcp": "<serial type='tcp'><source mode='connect' host='evil' service='1'/></serial>",
    "console": "<console type='unix'><source mode='bind' path='/evil/console'/></console>",
    "parallel": "<parallel type='dev'><source path='/dev/evil'/></parallel>",
    "channel": "<channel type='unix'><source mode='bind' path='/evil/agent'/><log file='/evil/log'/>"
    "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
    "another channel": "<channel type='unix'><source mode='connect' path='/evil/c'/>"
    "<target type='virtio' name='evil'/></channel>",
    "evdev": "<input type='evdev'><source dev='/dev/evil'/></input>",
    "passthrough": "<input type='passthrough' bus='virtio'><source evdev='/dev/evil'/></input>",
    "graphics": "<graphics type='vnc' port='5900' listen='0.0.0.0'><listen address='evil'/></graphics>",
    "video": "<video><driver vgaconf='evil'/><model type='virtio'><acceleration accel3d='yes' rendernode="
    "'/evil/r'/></model></video>",
    "audio": "<audio id='1' type='file' path='/evil/sound'/><sound model='ich9'/>",
    "tpm": "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/evil'/></backend></tpm>",
    "shared memory": "<shmem name='evil'><server path='/evil/s'/></shmem>",
    "memory": "<memory model='nvdimm'><source><path>/evil/nvdimm</path></source></memory>",
    "vsock": "<vsock model='virtio'><cid auto='no' address='666'/></vsock>",
    "smartcard": "<smartcard mode='host-certificates'><database>/evil/db</database></smartcard>",
    "redirdev": "<redirdev bus='usb' type='tcp'><source mode='connect' host='evil' service='1'/></redirdev>",
    "crypto": "<crypto model='virtio' type='qemu'><backend model='evil'/></crypto>",
    "watchdog": "<watchdog model='i6300esb' action='dump'/>",
    "lease": "<lease><lockspace>evil</lockspace><key>evil</key><target path='/evil/lease'/></lease>",
    "a tag that nobody knows": "<evil path='/evil'/>",
}
HOSTILE_REST = {
    "qemu:commandline": "<qemu:commandline><qemu:arg value='-net'/>"
    "<qemu:arg value='evil'/></qemu:commandline>",
    "qemu:override": "<qemu:override><qemu:device alias='evil'/></qemu:override>",
    "seclabel": "<seclabel type='static' model='dac' relabel='yes'><label>evil</label></seclabel>",
    "memory backing": "<memoryBacking><source type='file'/><evil/></memoryBacking>",
    "more memory": "<maxMemory slots='9' unit='GiB'>666</maxMemory>",
    "resource": "<resource><partition>/evil</partition></resource>",
    "tuning": "<cputune><vcpupin vcpu='0' cpuset='66'/></cputune><numatune><memory nodeset='66'/></numatune>",
    "files as firmware's": "<sysinfo type='fwcfg'><entry name='opt/x' file='/evil/fw'/></sysinfo>",
    "its own UUID": "<sysinfo type='smbios'><system><entry name='uuid'>"
    "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001</entry></system></sysinfo>",
    "launch security": "<launchSecurity type='sev'><session>evil</session></launchSecurity>",
    "metadata": "<metadata><evil/></metadata><genid>6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001</genid>",
    "boot loader": "<bootloader>/evil/pygrub</bootloader>",
}


def is_clean(definition: str) -> bool:
    """Tell whether a definition says nothing of what hostile ones want."""
    words = ("evil", "52:54", "maq1", "6ad32f6c", "666", "dump", "accel3d", "'66'", '"66"')
    return not any(word in definition for word in words)


@pytest.mark.parametrize("devices", HOSTILE_DEVICES.values(), ids=HOSTILE_DEVICES)
def test_nothing_of_a_hostile_device_gets_into_a_drill(devices: str) -> None:
    """Neither a path nor an address, whatever it's of."""
    assert is_clean(drilled(machine(devices), GIVEN).xml)


@pytest.mark.parametrize("rest", HOSTILE_REST.values(), ids=HOSTILE_REST)
def test_nothing_hostile_beside_the_devices_gets_into_a_drill(rest: str) -> None:
    """Options for QEMU itself may open files, ports and networks of the host."""
    assert is_clean(drilled(machine(rest=rest), GIVEN).xml)


def test_memory_is_capped() -> None:
    """In whatever unit it's written, and no less than what can be said."""
    assert root_of(machine()).findtext("memory") == root_of(machine()).findtext("currentMemory") == str(2**20)
    small = machine().replace("unit='GiB'>64", "unit='MiB'>64")
    assert root_of(small).findtext("memory") == str(64 << 10)
    assert drilled(small, GIVEN).memory_bytes == 64 << 20


def test_a_disk_is_an_overlay_in_its_place() -> None:
    """Whatever it was: a block device that was passed through is a disk."""
    disk = root_of(machine(HOSTILE_DEVICES["lun"])).find("devices/disk")
    assert disk is not None
    source, target = disk.find("source"), disk.find("target")
    assert source is not None
    assert target is not None
    assert (disk.attrib, source.attrib) == ({"type": "file", "device": "disk"}, {"file": "/room/vda.qcow2"})
    assert target.attrib == {"dev": "vda", "bus": "scsi"}


def test_uefi_gets_a_copy_of_its_variables() -> None:
    """Of those that were kept, never the machine's own file; its firmware is only read."""
    system = root_of((UEFI / "definition.xml").read_text(encoding="utf-8")).find("os")
    assert system is not None
    loader = system.find("loader")
    assert loader is not None
    assert (loader.get("readonly"), loader.text) == ("yes", "/usr/share/OVMF/OVMF_CODE.fd")
    assert [nvram.text for nvram in system.findall("nvram")] == ["/room/nvram.fd"]


def test_uefi_that_libvirt_chooses_writes_its_variables_into_the_room_too() -> None:
    """Or libvirt would put them beside those of other machines, and leave them there."""
    text = machine().replace("<os>", "<os firmware='efi'>")
    assert [nvram.text for nvram in root_of(text).iter("nvram")] == ["/room/nvram.fd"]
    flash = machine().replace("</os>", "<loader readonly='no' type='pflash'>/fw</loader></os>")
    assert [nvram.text for nvram in root_of(flash).iter("nvram")] == ["/room/nvram.fd"]
    assert list(root_of(machine()).iter("nvram")) == []


def test_a_kernel_of_the_hosts_is_copied() -> None:
    """Libvirt gives what a machine boots to QEMU's own user; the host's file stays as it is."""
    text = machine().replace("</os>", "<kernel>/boot/vmlinuz</kernel><cmdline>quiet</cmdline></os>")
    found = drilled(text, GIVEN)
    assert found.copies == {ROOM / "kernel": "/boot/vmlinuz"}
    assert "/boot/vmlinuz" not in found.xml
    assert root_of(text).findtext("os/kernel") == "/room/kernel"
    assert root_of(text).findtext("os/cmdline") == "quiet"


def test_what_a_guest_may_miss_is_told() -> None:
    """A machine whose disk is sealed by its TPM doesn't boot without it, and that's no fault of the image."""
    assert drilled((TPM / "definition.xml").read_text(encoding="utf-8"), GIVEN).left_out == ["its TPM"]
    named = "".join(HOSTILE_DEVICES[name] for name in ("hostdev", "filesystem", "another disk", "cdrom"))
    assert drilled(machine(named), GIVEN).left_out == [
        "a device of the host's",
        "a folder of the host's",
        "its disk vdb",
    ]


def test_a_machine_may_boot_again_during_its_drill() -> None:
    """After a check of its disks, or updates; a machine that goes off is gone."""
    root = root_of(machine(rest="<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot>"))
    assert (root.findtext("on_poweroff"), root.findtext("on_reboot")) == ("destroy", "restart")


@pytest.mark.parametrize(
    "text",
    ["", "<network/>", "no XML", machine(kind="lxc"), machine().replace("hvm", "exe"), "<domain type='kvm'/>",
     machine().replace(">64<", ">much<")],
)  # fmt: skip
def test_what_is_no_definition_is_refused(text: str) -> None:
    """With why."""
    with pytest.raises(ValueError, match=r"it|invalid"):
        drilled(text, GIVEN)
