"""A boot test's definition, from recorded and hostile ones: nothing in it leads to the host."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.agent.boot_test.definition import BootSubstitutes, boot_definition

RECORDED = sorted((Path(__file__).parents[1] / "recorded" / "domains").glob("*/definition.xml"))
UEFI, TPM = ((Path(__file__).parents[1] / "recorded" / "domains" / name) for name in ("uefi", "tpm"))
FOLDER = Path("/work-folder")
SUBSTITUTES = BootSubstitutes(
    "boot-test-1", "0b0c9d1e-0000-4000-8000-000000000001", FOLDER, {"vda": FOLDER / "vda.qcow2"}, 2**30
)
DEVICES = {"disk", "controller", "input", "rng", "channel", "watchdog", "panic", "iommu"}
DEVICES |= {"video", "serial", "memballoon"}
QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


def root_of(definition: str, substitutes: BootSubstitutes = SUBSTITUTES) -> ET.Element:
    """Return the boot test's definition for a VM's, parsed."""
    return ET.fromstring(boot_definition(definition, substitutes).xml)  # noqa: S314 - made here


def vm(devices: str = "", rest: str = "", kind: str = "kvm") -> str:
    """Return a VM's definition."""
    return (
        f"<domain type='{kind}' xmlns:qemu='{QEMU}'><name>maq1</name>"
        "<uuid>6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001</uuid><memory unit='GiB'>64</memory>"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os>{rest}<devices>{devices}</devices></domain>"
    )


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_a_recorded_definition_is_isolated(file: Path) -> None:
    """It has another name and UUID, no network, no passthrough, and writes only to the work folder."""
    original = file.read_text(encoding="utf-8")
    root, old = root_of(original), ET.fromstring(original)  # noqa: S314 - recorded
    devices = root.find("devices")
    assert devices is not None
    assert (root.findtext("name"), root.findtext("uuid")) == (SUBSTITUTES.name, SUBSTITUTES.uuid)
    assert {device.tag for device in devices} <= DEVICES
    paths = {value for element in devices.iter("source") for value in element.attrib.values()}
    assert all(value.startswith("/work-folder/") for value in paths), paths
    assert all((nvram.text or "").startswith("/work-folder/") for nvram in root.iter("nvram"))
    assert int(root.findtext("memory", "0")) <= 2**20
    assert str(old.findtext("uuid")) not in boot_definition(original, SUBSTITUTES).xml
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
    "an unknown tag": "<evil path='/evil'/>",
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
    "fwcfg files": "<sysinfo type='fwcfg'><entry name='opt/x' file='/evil/fw'/></sysinfo>",
    "its own UUID": "<sysinfo type='smbios'><system><entry name='uuid'>"
    "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001</entry></system></sysinfo>",
    "launch security": "<launchSecurity type='sev'><session>evil</session></launchSecurity>",
    "metadata": "<metadata><evil/></metadata><genid>6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001</genid>",
    "boot loader": "<bootloader>/evil/pygrub</bootloader>",
}


def is_clean(definition: str) -> bool:
    """Return whether a definition has nothing of a hostile one."""
    traces = ("evil", "52:54", "maq1", "6ad32f6c", "666", "dump", "accel3d", "'66'", '"66"')
    return not any(trace in definition for trace in traces)


@pytest.mark.parametrize("devices", HOSTILE_DEVICES.values(), ids=HOSTILE_DEVICES)
def test_nothing_of_a_hostile_device_gets_into_a_boot_test(devices: str) -> None:
    """Neither a path nor an address."""
    assert is_clean(boot_definition(vm(devices), SUBSTITUTES).xml)


@pytest.mark.parametrize("rest", HOSTILE_REST.values(), ids=HOSTILE_REST)
def test_nothing_hostile_beside_the_devices_gets_into_a_boot_test(rest: str) -> None:
    """QEMU command-line options, for one, could open files, ports and networks of the host."""
    assert is_clean(boot_definition(vm(rest=rest), SUBSTITUTES).xml)


def test_memory_is_capped() -> None:
    """Whatever its unit; less than the maximum stays."""
    assert root_of(vm()).findtext("memory") == root_of(vm()).findtext("currentMemory") == str(2**20)
    small = vm().replace("unit='GiB'>64", "unit='MiB'>64")
    assert root_of(small).findtext("memory") == str(64 << 10)
    assert boot_definition(small, SUBSTITUTES).memory_bytes == 64 << 20


def test_a_disk_is_replaced_by_an_overlay_in_its_slot() -> None:
    """Whatever it was: even a LUN that was passed through becomes a file."""
    disk = root_of(vm(HOSTILE_DEVICES["lun"])).find("devices/disk")
    assert disk is not None
    source, target = disk.find("source"), disk.find("target")
    assert source is not None
    assert target is not None
    assert (disk.attrib, source.attrib) == (
        {"type": "file", "device": "disk"},
        {"file": "/work-folder/vda.qcow2"},
    )
    assert target.attrib == {"dev": "vda", "bus": "scsi"}


def test_uefi_gets_a_copy_of_its_variables() -> None:
    """Never the VM's own file; the firmware itself is read-only."""
    system = root_of((UEFI / "definition.xml").read_text(encoding="utf-8")).find("os")
    assert system is not None
    loader = system.find("loader")
    assert loader is not None
    assert (loader.get("readonly"), loader.text) == ("yes", "/usr/share/OVMF/OVMF_CODE.fd")
    assert [nvram.text for nvram in system.findall("nvram")] == ["/work-folder/nvram.fd"]


def test_uefi_that_libvirt_selects_writes_its_variables_into_the_work_folder_too() -> None:
    """Otherwise libvirt would put them beside those of other VMs, and leave them there."""
    text = vm().replace("<os>", "<os firmware='efi'>")
    assert [nvram.text for nvram in root_of(text).iter("nvram")] == ["/work-folder/nvram.fd"]
    flash = vm().replace("</os>", "<loader readonly='no' type='pflash'>/fw</loader></os>")
    assert [nvram.text for nvram in root_of(flash).iter("nvram")] == ["/work-folder/nvram.fd"]
    assert list(root_of(vm()).iter("nvram")) == []


def test_a_kernel_on_the_host_is_copied() -> None:
    """Libvirt changes the owner of the files that a VM boots; the host's own must stay unchanged."""
    text = vm().replace("</os>", "<kernel>/boot/vmlinuz</kernel><cmdline>quiet</cmdline></os>")
    found = boot_definition(text, SUBSTITUTES)
    assert found.copies == {FOLDER / "kernel": "/boot/vmlinuz"}
    assert "/boot/vmlinuz" not in found.xml
    assert root_of(text).findtext("os/kernel") == "/work-folder/kernel"
    assert root_of(text).findtext("os/cmdline") == "quiet"


def test_left_out_devices_that_a_guest_may_need_are_reported() -> None:
    """A VM whose disk is sealed by its TPM doesn't boot without it, though its image is fine."""
    assert boot_definition((TPM / "definition.xml").read_text(encoding="utf-8"), SUBSTITUTES).left_out == [
        "its TPM"
    ]
    named = "".join(HOSTILE_DEVICES[name] for name in ("hostdev", "filesystem", "another disk", "cdrom"))
    assert boot_definition(vm(named), SUBSTITUTES).left_out == [
        "a device of the host's",
        "a folder of the host's",
        "its disk vdb",
    ]


def test_a_vm_may_reboot_during_its_boot_test() -> None:
    """For example after fsck or updates; a VM that powers off is gone."""
    root = root_of(vm(rest="<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot>"))
    assert (root.findtext("on_poweroff"), root.findtext("on_reboot")) == ("destroy", "restart")


@pytest.mark.parametrize(
    "text",
    ["", "<network/>", "no XML", vm(kind="lxc"), vm().replace("hvm", "exe"), "<domain type='kvm'/>",
     vm().replace(">64<", ">much<")],
)  # fmt: skip
def test_an_invalid_definition_is_refused(text: str) -> None:
    """The error has the reason."""
    with pytest.raises(ValueError, match=r"^(it isn't|its|invalid literal) "):
        boot_definition(text, SUBSTITUTES)
