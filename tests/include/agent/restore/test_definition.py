"""A restored VM's definition, from hostile ones: what leads to the host is left out, changed or refused."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from include.agent.errors import NotPossibleError
from include.agent.restore.definition import SafeDefinition, safe_definition
from include.agent.restore.folders import Folders
from include.agent.restore.request import RestoreRequest
from tests.include.agent.boot_test.test_definition import HOSTILE_DEVICES, HOSTILE_REST, RECORDED, vm
from tests.include.agent.restore.test_request import DISK, REQUEST

KNOWN = {"/usr/bin/qemu-system-x86_64", "/fw/CODE.fd", "/fw/VARS.fd"}
OWN_DISK = "<disk type='block'><source dev='/dev/vg/x'/><target dev='vda' bus='virtio'/></disk>"
HARMLESS = ("interface", "vsock", "another channel", "more memory", "its own UUID")
"""Those that keep their names and numbers: they mean something to the guest only, or have their own tests."""
REFUSED = ("another disk",)


class OnlyVms(Folders):
    """Restores may write to /vms only."""

    def __init__(self) -> None:
        pass

    def allow(self, path: Path) -> bool:
        """Return whether a path is in it."""
        return path.parent == Path("/vms")


def restored(xml: str, own: str | None = None, **request: object) -> SafeDefinition:
    """Return the definition for a VM with the disk ``vda``, on a host that may have its own of the VM."""
    uuid = ET.fromstring(xml).findtext("uuid")  # noqa: S314 - ours
    restore = RestoreRequest({**REQUEST, "original": uuid, "definition": xml, **request})
    return safe_definition(restore, ET.fromstring(own) if own else None, KNOWN, OnlyVms())  # noqa: S314 - ours


def root_of(xml: str, own: str | None = None) -> ET.Element:
    """Return the same, parsed."""
    return ET.fromstring(restored(xml, own).xml)  # noqa: S314 - made here


@pytest.mark.parametrize("devices", sorted(HOSTILE_DEVICES.keys() - {*HARMLESS, *REFUSED}))
def test_nothing_of_a_hostile_device_stays(devices: str) -> None:
    """Neither a path nor an address."""
    hostile = HOSTILE_DEVICES[devices]
    disk = "" if "vda" in hostile else OWN_DISK
    found = restored(vm(disk + hostile))
    assert "evil" not in found.xml
    assert "/dev/vg" not in found.xml
    assert "dump" not in found.xml
    assert devices in ("backing chain", "lun") or found.warnings


@pytest.mark.parametrize("rest", sorted(HOSTILE_REST.keys() - {*HARMLESS}))
def test_nothing_hostile_beside_the_devices_stays(rest: str) -> None:
    """QEMU command-line options, for one, could open files, ports and networks of the host."""
    found = restored(vm(OWN_DISK, rest=HOSTILE_REST[rest]))
    assert "evil" not in found.xml
    assert "66" not in found.xml.replace("52:54", "")
    assert "Left out of the definition" in found.warnings[-1]


@pytest.mark.parametrize("hostile", [*HOSTILE_DEVICES.values(), *HOSTILE_REST.values()])
def test_all_that_the_hosts_own_definition_has_stays(hostile: str) -> None:
    """In place, it's the administrator's: nothing is dropped, and nothing is warned of."""
    if "<disk" in hostile and "cdrom" not in hostile:
        return  # the disks of the backup have their own tests
    is_device = hostile in HOSTILE_DEVICES.values()
    own = vm(OWN_DISK + hostile * is_device, rest=hostile * (not is_device))
    found = restored(own, own)
    assert found.warnings == []
    kept, before = (
        sorted(one.tag for one in ET.fromstring(xml).iter())  # noqa: S314 - made here
        for xml in (found.xml, own.replace("<target dev='vda'", "<driver/><target dev='vda'"))
    )
    assert kept == before


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.parent.name)
def test_a_recorded_definition_is_kept_on_its_own_host(file: Path) -> None:
    """Except for the paths of its disks."""
    xml = file.read_text(encoding="utf-8")
    root = ET.fromstring(xml)  # noqa: S314 - recorded
    names = [
        disk.find("target").attrib["dev"]  # type: ignore[union-attr]
        for disk in root.iterfind("./devices/disk")
        if disk.get("device") not in ("cdrom", "floppy")
    ]
    disks = [{**DISK, "name": name, "path": f"/vms/{name}"} for name in names]
    found = restored(xml, xml, disks=disks)
    assert found.warnings == []
    sources = [
        disk.find("source").attrib  # type: ignore[union-attr]
        for disk in ET.fromstring(found.xml).iterfind("./devices/disk")  # noqa: S314 - made here
        if disk.get("device") not in ("cdrom", "floppy")
    ]
    assert sources == [{"file": f"/vms/{name}"} for name in names]


def test_a_disk_leads_to_its_checked_path_in_the_format_of_the_backup() -> None:
    """A raw disk opened as QCOW2 could name any file of the host as its backing file."""
    xml = vm(OWN_DISK.replace("<source", "<driver name='qemu' type='qcow2' cache='none'/><source"))
    disk = root_of(xml, xml).find("./devices/disk")
    assert disk is not None
    assert disk.get("type") == "file"
    assert [source.attrib for source in disk.findall("source")] == [{"file": DISK["path"]}]
    assert [one.attrib for one in disk.findall("driver")] == [
        {"name": "qemu", "type": "raw", "cache": "none"}
    ]


def test_a_disk_has_no_data_file_any_more() -> None:
    """The restored one is a single file, also where this host's definition names one."""
    [disk] = root_of(vm(OWN_DISK)).iterfind("./devices/disk")
    source = disk.find("source")
    assert source is not None
    path = source.get("file")
    data_file = "<dataStore type='file'><format type='raw'/><source file='/vms/data'/></dataStore>"
    own = vm(
        ET.tostring(disk, encoding="unicode").replace(
            f'file="{path}" />', f'file="{path}">{data_file}</source>'
        )
    )
    assert "dataStore" in own
    assert "dataStore" not in restored(own, own).xml
    assert str(path) in restored(own, own).xml


@pytest.mark.parametrize(
    ("devices", "reason"),
    [
        (OWN_DISK + HOSTILE_DEVICES["another disk"], "has the disk vdb, which isn't in the backup"),
        (OWN_DISK * 2, "doesn't have the disk vda once each"),
        ("", "doesn't have the disk vda once each"),
        (OWN_DISK.replace("<disk", "<disk device='cdrom'"), "doesn't have the disk vda once each"),
    ],
)
def test_disks_other_than_the_backups_are_refused(devices: str, reason: str) -> None:
    """Even if the host's own definition has them: they were never in a backup."""
    with pytest.raises(NotPossibleError, match=reason):
        restored(vm(devices), vm(devices))


@pytest.mark.parametrize("kind", ["lxc", "xen", "evil"])
def test_other_domains_than_those_of_qemu_are_refused(kind: str) -> None:
    """They run programs of the host."""
    with pytest.raises(NotPossibleError, match="isn't one of a KVM or QEMU domain"):
        restored(vm(OWN_DISK, kind=kind))


@pytest.mark.parametrize(
    ("loader", "is_known"),
    [
        ("/fw/CODE.fd", True),
        ("/usr/share/OVMF/CODE.fd", True),
        ("/etc/shadow", False),
        ("/usr/share/../../x", False),
    ],
)
def test_only_known_firmware_is_used_and_only_for_reading(loader: str, *, is_known: bool) -> None:
    """The guest can read it."""
    xml = vm(OWN_DISK).replace("</os>", f"<loader readonly='no' type='pflash'>{loader}</loader></os>")
    if is_known:
        assert [found.attrib["readonly"] for found in root_of(xml).iter("loader")] == ["yes"]
    else:
        with pytest.raises(
            NotPossibleError, match=r"Its firmware .* isn't one that this host's libvirt offers"
        ):
            restored(xml)
    assert [found.attrib["readonly"] for found in root_of(xml, xml).iter("loader")] == ["no"]


@pytest.mark.parametrize(
    ("nvram", "path", "warnings"),
    [
        ("<nvram>/vms/maq1.fd</nvram>", "/vms/maq1.fd", []),
        ("<nvram template='/fw/VARS.fd'>/vms/maq1.fd</nvram>", "/vms/maq1.fd", []),
        ("<nvram template='/etc/shadow'>/vms/maq1.fd</nvram>", "/vms/maq1.fd", ["os/nvram@template"]),
        ("<nvram type='file'><source file='/vms/a.fd'/></nvram>", "/vms/a.fd", []),
        ("<nvram>/etc/cron.d/x</nvram>", "/var/lib/libvirt/qemu/nvram/maq1_VARS.fd", ["not /etc/cron.d/x"]),
        ("<nvram>x</nvram>", "/var/lib/libvirt/qemu/nvram/maq1_VARS.fd", ["not x"]),
        (
            "<nvram type='block'><source dev='/dev/sda'/></nvram>",
            "/var/lib/libvirt/qemu/nvram/maq1_VARS.fd",
            ["sda"],
        ),
    ],
)
def test_uefi_variables_are_written_only_where_restores_may_write(
    nvram: str, path: str, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root writes them; elsewhere, they go to libvirt's own folder. Its template is firmware, too."""
    monkeypatch.setattr("os.geteuid", lambda: 0)  # a user's libvirt has another folder
    found = restored(vm(OWN_DISK).replace("</os>", f"{nvram}</os>"), files={"nvram.fd": ""})
    assert found.firmware == {"nvram.fd": Path(path)}
    assert len(found.warnings) == len(warnings)
    for part, warning in zip(warnings, found.warnings, strict=True):
        assert part in warning


@pytest.mark.parametrize("source", ["type='block'><source dev='/dev/vg/vars'/>", ">/dev/vg/vars"])
def test_uefi_variables_dont_replace_a_device(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file moved into place would take the node's name, and the device would keep other variables."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    xml = vm(OWN_DISK).replace("</os>", f"<nvram {source}</nvram></os>")
    place = "/var/lib/libvirt/qemu/nvram/maq1_VARS.fd"
    found = restored(xml, xml, files={"nvram.fd": ""})
    assert found.firmware == {"nvram.fd": Path(place)}
    assert [(one.text, one.attrib) for one in ET.fromstring(found.xml).iter("nvram")] == [(place, {})]  # noqa: S314
    assert found.warnings == [f"Its UEFI variables are {place} now, not /dev/vg/vars."]
    assert restored(xml, xml).opened == {"nvram.fd": Path("/dev/vg/vars")}


def test_the_state_of_a_tpm_goes_to_libvirts_folder_or_the_hosts_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path in the vault's definition counts only if this host's has it."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    source = "<source type='dir' path='/etc/cron.d'/>"
    xml = vm(f"{OWN_DISK}<tpm model='tpm-crb'><backend type='emulator'>{source}</backend></tpm>")
    found = restored(xml, files={"tpm.tar": ""})
    assert found.firmware == {"tpm.tar": Path("/var/lib/libvirt/swtpm/6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001")}
    assert "tpm/backend/source" in found.warnings[-1]
    assert restored(xml, xml, files={"tpm.tar": ""}).firmware == {"tpm.tar": Path("/etc/cron.d")}


def test_a_network_that_the_host_hasnt_given_the_vm_has_its_link_down() -> None:
    """It could be the host's own, where the guest must not be."""
    hostile = vm(OWN_DISK + HOSTILE_DEVICES["interface"])
    found = restored(hostile, vm(OWN_DISK))
    assert [link.attrib for link in ET.fromstring(found.xml).iter("link")] == [{"state": "down"}]  # noqa: S314
    assert "Its network link to evil is down" in found.warnings[0]
    assert list(root_of(hostile, hostile).iter("link")) == []
    passthrough = "<interface type='direct'><source dev='eth0' mode='passthrough'/></interface>"
    assert list(root_of(vm(OWN_DISK + passthrough)).iter("interface")) == []


def test_a_sound_card_keeps_its_audio_without_the_hosts() -> None:
    """Libvirt refuses a card that names an audio which isn't there."""
    found = restored(vm(OWN_DISK + "<sound model='ich9'><audio id='2'/></sound><audio id='2' type='alsa'/>"))
    root = ET.fromstring(found.xml)  # noqa: S314 - made here
    assert [audio.attrib for audio in root.iterfind("devices/audio")] == [{"id": "2", "type": "none"}]
    assert "audio@type" in found.warnings[-1]
