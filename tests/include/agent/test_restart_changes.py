"""What a restart would change: nothing in VMs that nobody changed, and each thing that somebody did.

``recorded/unchanged`` has real VMs of libvirt 9.0, each as ``virsh dumpxml --inactive --security-info`` and
the same without ``--inactive`` print it, right after it was started; their paths were shortened.
"""

from pathlib import Path

import pytest

from include.agent.restart_changes import refusal, restart_changes

RECORDED = Path(__file__).with_name("recorded")
STARTED = [folder for folder in RECORDED.glob("*/*") if (folder / "running.xml").exists()]
NIC = (
    "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
    "<target dev='vnet9'/><model type='virtio'/></interface>"
)
USB = (
    "<hostdev mode='subsystem' type='usb' managed='yes'><source><vendor id='0x1234'/><product id='0xbeef'/>"
    "<address bus='1' device='4'/></source></hostdev>"
)
PCI = (
    "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
    "<address domain='0x0000' bus='0x03' slot='0x00' function='0x1'/></source></hostdev>"
)


def read(vm: str) -> dict[str, str]:
    """Return a recorded VM's two definitions."""
    folder = RECORDED / "unchanged" / vm
    return {form: (folder / f"{form}.xml").read_text("utf-8") for form in ("definition", "running")}


@pytest.mark.parametrize("folder", sorted(STARTED), ids=lambda folder: folder.name)
def test_a_restart_changes_nothing_in_a_vm_that_nobody_changed(folder: Path) -> None:
    """Whatever libvirt filled in when it started. Disks are compared elsewhere: ``plugged`` has another."""
    forms = [(folder / name).read_text("utf-8") for name in ("definition.xml", "running.xml")]
    assert restart_changes(*forms) == []


@pytest.mark.parametrize(
    ("vm", "form", "old", "new", "change"),
    [
        ("desktop", "running", "<devices>", f"<devices>{NIC}",
         "interface 52:54:00:00:00:01 is only in the running VM"),
        ("desktop", "definition", "<devices>", f"<devices>{NIC}",
         "interface 52:54:00:00:00:01 is only in the definition"),
        ("desktop", "running", "<devices>", f"<devices>{USB}",
         "hostdev 0x1234:0xbeef is only in the running VM"),
        ("desktop", "running", "<devices>", f"<devices>{PCI}",
         "hostdev 0000:03:00.1 is only in the running VM"),
        ("desktop", "definition", ">65536</memory>", ">4194304</memory>",
         "memory is 65536 KiB in the running VM, 4194304 KiB in its definition"),
        ("desktop", "definition", ">1</vcpu>", ">8</vcpu>",
         "vcpu is 1 in the running VM, 8 in its definition"),
        ("memory", "running", " current='2'", "",
         "vcpu current is not set in the running VM, 2 in its definition"),
        ("memory", "running", "<iothreads>2", "<iothreads>3",
         "iothreads is 3 in the running VM, 2 in its definition"),
        ("memory", "definition", "<size unit='KiB'>65536", "<size unit='KiB'>1024",
         "memory dimm target size is 65536 KiB in the running VM, 1024 KiB in its definition"),
        ("desktop", "definition", "cache='none'", "cache='writeback'",
         "disk vda driver cache is none in the running VM, writeback in its definition"),
        ("desktop", "running", "/vms/cd.iso", "/vms/other.iso",
         "cdrom sda source file is /vms/other.iso in the running VM, /vms/cd.iso in its definition"),
        ("disks", "running", "<target dev='hda'", "<source file='/x.iso'/><target dev='hda'",
         "cdrom hda source is only in the running VM"),
        ("disks", "running", ">10000000<", ">2000000<",
         "disk sdb iotune total_bytes_sec is 2000000 in the running VM, 10000000 in its definition"),
        ("disks", "running", "</iotune>", "<read_iops_sec>7</read_iops_sec></iotune>",
         "disk sdb iotune read_iops_sec is only in the running VM"),
        ("link-down", "running", "<link state='down'/>", "<link state='up'/>",
         "interface 52:54:00:11:22:33 link is only in the definition"),
        ("network", "running", "network='n1'", "network='n2'",
         "interface 52:54:00:11:22:34 source network is n2 in the running VM, n1 in its definition"),
        ("kernel", "definition", "<kernel>/boot/vmlinuz</kernel>", "",
         "os kernel is only in the running VM"),
        ("desktop", "definition", "machine='pc-i440fx-7.2'", "machine='pc-i440fx-6.0'",
         "os type machine is pc-i440fx-7.2 in the running VM, pc-i440fx-6.0 in its definition"),
        ("host-model", "definition", "mode='host-model'", "mode='host-passthrough'",
         "cpu mode is custom in the running VM, host-passthrough in its definition"),
        ("cpu-Nehalem-none", "definition", ">Nehalem<", ">Penryn<",
         "cpu model is Nehalem in the running VM, Penryn in its definition"),
        ("cpu-topology", "definition", "cores='2'", "cores='1'",
         "cpu topology cores is 2 in the running VM, 1 in its definition"),
        ("cpu-Nehalem-partial", "definition", "policy='disable' name='x2apic'", "policy='disable' name='aes'",
         "cpu feature aes is another in the running VM"),
        ("desktop", "running", "<on_poweroff>destroy", "<on_poweroff>restart",
         "on_poweroff is restart in the running VM, destroy in its definition"),
        ("pts", "definition", "passwd='x'", "passwd='y'", "graphics vnc passwd differs"),
        ("cmdline", "definition", "guest=x", "guest=y", "commandline arg value differs"),
    ],
)  # fmt: skip
def test_what_somebody_changed_is_named(vm: str, form: str, old: str, new: str, change: str) -> None:
    """Attached to the running VM alone, or edited in the definition alone. Secrets aren't shown."""
    forms = read(vm)
    assert old in forms[form]
    forms[form] = forms[form].replace(old, new, 1)
    assert restart_changes(**forms) == [change]


def test_a_virtual_machines_loader_isnt_lost_unnoticed() -> None:
    """Without it, the VM would start with a BIOS, and not boot."""
    forms = read("loader-nvram")
    before, rest = forms["definition"].split("<loader", 1)
    forms["definition"] = before + rest.split("</loader>", 1)[1]
    assert restart_changes(**forms) == ["os loader is only in the running VM"]
    automatic = forms["definition"].replace("<os>", "<os firmware='efi'>")
    running = forms["running"].replace("<os>", "<os firmware='efi'>")
    assert restart_changes(automatic, running) == []


def test_a_vsock_whose_number_libvirt_chooses_isnt_a_change() -> None:
    """A definition keeps the number that it was made with; each start takes the first one that is free."""
    vsock = "<domain><devices><vsock model='virtio'><cid auto='{}' address='{}'/></vsock></devices></domain>"
    assert restart_changes(vsock.format("yes", 77), vsock.format("yes", 3)) == []
    assert restart_changes(vsock.format("no", 77), vsock.format("no", 3)) == [
        "vsock virtio cid address is 3 in the running VM, 77 in its definition"
    ]


def test_a_medium_that_the_guest_ejected_isnt_a_change() -> None:
    """Nobody at the host did anything."""
    forms = read("desktop")
    before, rest = forms["running"].split("<source file='/vms/cd.iso'", 1)
    forms["running"] = before + rest.split("/>", 1)[1].replace("dev='sda'", "dev='sda' tray='open'", 1)
    assert "tray='open'" in forms["running"]
    assert restart_changes(**forms) == []


def test_a_refusal_names_the_first_changes_and_what_to_do() -> None:
    """A mail lists many VMs."""
    sentences = refusal([f"change {number}" for number in range(10)])
    assert sentences.startswith("A restart would change it: change 0; ")
    assert "change 7; and 2 more. Put what shall stay into its definition (virsh attach-device" in sentences
