"""The definition of a restored VM, from the one in the vault, which another host may have written.

The definition that this host has of the VM is its administrator's: each element that both have is kept; for a
new VM beside it, only its kernel and firmware are. Of the rest:

    kept        what leads nowhere on the host (``allowed_elements.py``); an emulator and firmware that this
                host's libvirt offers or its VMs use; networks, with the link down
    changed     disks lead to the paths that were checked; drives are emptied; consoles become
                pseudo-terminals; UEFI variables elsewhere are moved to libvirt's folder
    left out    all else; a warning names it
    added       to a new VM beside the original: its mark as a copy (``copy_mark.py``)
    refused     disks that aren't in the backup, and firmware that this host doesn't know
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from include.agent.allow_list import AllowList
from include.agent.allowed_elements import ATTRIBUTES, CHARACTER_DEVICES, NEEDED
from include.agent.copy_mark import mark_copy, take_marks
from include.agent.domain import Domain
from include.agent.errors import LibvirtError, NotPossibleError
from include.agent.restore.folders import Folders, nvram_folder
from include.agent.restore.host_vms import NO_DATA, HostVms
from include.agent.restore.request import RequestedDisk, RestoreRequest
from include.agent.virsh import Virsh

_DISTRIBUTED = Path("/usr/share")  # everyone may read what is there
_UNCONNECTED = ("pty", "null", "vc", "spicevmc", "spiceport", "qemu-vdagent")
_SILENT = ("none", "spice")
_REPLACED = ("source", "backingStore", "mirror")
_BY_HAND = (
    "Nothing was changed. Restore another generation, or restore the images to a folder (inpe-backup "
    "restore-vm) and define the VM by hand."
)

ET.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")
ET.register_namespace("libosinfo", "http://libosinfo.org/xmlns/libvirt/domain/1.0")


class SafeDefinition(NamedTuple):
    """A definition that is safe on this host.

    Args:
        xml: the XML for ``virsh define``.
        opened: where the VM has ``nvram.fd`` and ``tpm.tar`` when it starts, also if the request has none.
        firmware: those of them to write, as the request has them.
        warnings: what was left out or changed, as sentences.
    """

    xml: str
    opened: dict[str, Path]
    firmware: dict[str, Path]
    warnings: list[str]


def safe_definition(
    restore: RestoreRequest, own: ET.Element | None, known: set[str], folders: Folders
) -> SafeDefinition:
    """Return the definition of a restored VM.

    Args:
        restore: the request.
        own: what this host's own definition has of the VM, which is trusted; None if it has none.
        known: the emulators and the firmware of this host.
        folders: where the restore may write.

    Raises:
        NotPossibleError: it can't be used; the message has the reason.
    """
    work = _Definition(restore, own, known, folders)
    xml = work.made()
    domain = Domain(xml)
    paths = {"nvram.fd": domain.nvram, "tpm.tar": domain.tpm}
    opened = {name: Path(path) for name, path in paths.items() if path}
    firmware = {name: path for name, path in opened.items() if name in restore.files}
    return SafeDefinition(xml, opened, firmware, work.warnings)


def known_programs(virsh: Virsh, vms: HostVms) -> set[str]:
    """Return the paths of emulators and firmware that libvirt offers, or that VMs of this host use."""
    offered = [ET.fromstring(virsh.run("capabilities"))]  # noqa: S314 - libvirt's own output
    for machine in ([], ["--machine=q35"]):
        try:
            offered.append(ET.fromstring(virsh.run("domcapabilities", *machine)))  # noqa: S314
        except LibvirtError:  # not on this architecture
            continue
    found = {element.text for root in offered for tag in ("emulator", "path") for element in root.iter(tag)}
    found |= {value.text for root in offered for value in root.iterfind("./os/loader/value")}
    for vm in vms.vms.values():
        found |= {vm.definition.findtext(path) for path in ("devices/emulator", "os/loader")}
        found |= {nvram.get("template") for nvram in vm.definition.iterfind("./os/nvram")}
    return {path for path in found if path}


class _Definition:
    """Changes a definition step by step, and notes warnings."""

    def __init__(
        self, restore: RestoreRequest, own: ET.Element | None, known: set[str], folders: Folders
    ) -> None:
        self._name = restore.name
        self._copy_of = None if restore.in_place else restore.generation
        self._own = own
        self._writes_nvram = "nvram.fd" in restore.files
        self._disks = {disk.name: disk for disk in restore.disks}
        self._known = known
        self._folders = folders
        self._root = ET.fromstring(restore.definition)  # noqa: S314 - only what is allowed of it is kept
        self._list = AllowList(ATTRIBUTES, NEEDED, own)
        self.warnings: list[str] = []

    def made(self) -> str:
        """Return the changed definition."""
        take_marks(self._root, self._own)
        self._check_disks()
        self._check_firmware()
        self._drop_unknown_emulator()
        self._move_nvram()
        for device in self._root.findall("./devices/*"):
            if not self._list.trusts(device, f"devices/{device.tag}"):
                self._disconnect(device)
        made = self._list.copy(self._root)
        if made is None:
            raise NotPossibleError(f"The VM's definition isn't one of a KVM or QEMU domain. {_BY_HAND}")
        for disk in made.iterfind("./devices/disk"):
            if (name := _target(disk)) in self._disks:
                _put(disk, self._disks[name])
        self._disconnect_networks(made)
        if self._copy_of:
            mark_copy(made, self._copy_of)
        self._warn_of_left_out()
        return ET.tostring(made, encoding="unicode")

    def _check_disks(self) -> None:
        found = [disk for disk in self._root.iterfind("./devices/disk") if not _is_drive(disk)]
        names = [_target(disk) for disk in found]
        if others := sorted(set(names) - self._disks.keys()):
            raise NotPossibleError(
                f"The definition in the vault has {_listed(others)}, which isn't in the backup. {_BY_HAND}"
            )
        if sorted(names) != sorted(self._disks):
            raise NotPossibleError(
                f"The definition in the vault doesn't have {_listed(sorted(self._disks))} once each, as the "
                f"backup has. {_BY_HAND}"
            )

    def _check_firmware(self) -> None:
        loader = self._root.find("./os/loader")
        if loader is None or self._list.trusts(loader, "os/loader"):
            return
        if loader.text and not self._is_known(loader.text):
            raise NotPossibleError(
                f"Its firmware {loader.text} isn't one that this host's libvirt offers (virsh "
                f"domcapabilities), nor below {_DISTRIBUTED}. {_BY_HAND}"
            )
        loader.set("readonly", "yes")

    def _is_known(self, program: str) -> bool:
        return program in self._known or _DISTRIBUTED in Path(program).resolve().parents

    def _drop_unknown_emulator(self) -> None:
        for devices in self._root.findall("devices"):
            for emulator in devices.findall("emulator"):
                trusted = self._list.trusts(emulator, "devices/emulator")
                if not trusted and emulator.text not in self._known:
                    devices.remove(emulator)
                    self._list.note("devices/emulator")

    def _move_nvram(self) -> None:
        nvram = self._root.find("./os/nvram")
        if nvram is None:
            return
        path = Domain(ET.tostring(self._root, encoding="unicode")).nvram
        replaces_device = self._writes_nvram and path is not None and _is_device(Path(path))
        if self._list.trusts(nvram, "os/nvram") and not replaces_device:
            return
        template = nvram.get("template")
        if template and not self._is_known(template):
            del nvram.attrib["template"]
            self._list.note("os/nvram@template")
        for source in nvram.findall("source"):
            nvram.remove(source)
        nvram.attrib.pop("type", None)
        if path and (replaces_device or not (path.startswith("/") and self._folders.allow(Path(path)))):
            moved = str(nvram_folder() / f"{self._name}_VARS.fd")
            self.warnings.append(f"Its UEFI variables are {moved} now, not {path}.")
            path = moved
        nvram.text = path

    def _disconnect(self, device: ET.Element) -> None:
        """Take from a device what leads to the host and can be taken without leaving the device out."""
        if device.tag == "disk":
            self._disconnect_disk(device)
        elif device.tag in CHARACTER_DEVICES:
            self._disconnect_console(device)
        elif device.tag == "graphics" and device.attrib.pop("port", "-1") != "-1":
            device.set("autoport", "yes")
            self._list.note("devices/graphics@port")
        elif device.tag == "audio" and device.get("type") not in _SILENT:
            device.set("type", "none")  # sound cards may need it: libvirt refuses those without
            self._list.note("devices/audio@type")

    def _disconnect_disk(self, disk: ET.Element) -> None:
        if _is_drive(disk) and disk.find("source") is not None:
            self.warnings.append(f"The drive {_target(disk)} was emptied.")
        elif not _is_drive(disk):
            disk.set("device", "disk")
        disk.set("type", "file")
        for element in [element for element in disk if element.tag in _REPLACED]:
            disk.remove(element)

    def _disconnect_console(self, device: ET.Element) -> None:
        kind = device.get("type")
        if not (kind in _UNCONNECTED or (device.tag, kind) == ("channel", "unix")):
            self.warnings.append(
                f"Its {device.tag} was connected to the host ({kind}). It's a pseudo-terminal now."
            )
            device.set("type", "pty")
        for tag in ("protocol", "log", *(["source"] if kind != "spiceport" else [])):
            for element in device.findall(tag):
                device.remove(element)
                if device.get("type") == kind:
                    self._list.note(f"devices/{device.tag}/{tag}")
        device.attrib.pop("tty", None)

    def _disconnect_networks(self, made: ET.Element) -> None:
        for interface in made.iterfind("./devices/interface"):
            if self._list.trusts(interface, "devices/interface"):
                continue
            links = interface.findall("link")
            if [link.get("state") for link in links] != ["down"]:
                for link in links:
                    interface.remove(link)
                ET.SubElement(interface, "link", state="down")
                source = interface.find("source")
                where = " ".join(source.attrib.values()) if source is not None else interface.get("type")
                self.warnings.append(
                    f"Its network link to {where} is down, because this host hasn't defined the VM with it. "
                    "Check it, then: virsh domif-setlink --config"
                )

    def _warn_of_left_out(self) -> None:
        if left_out := self._list.left_out:
            names = [
                path.replace("devices/", "", 1) + (f" ({count})" if count > 1 else "")
                for path, count in left_out.items()
            ]
            self.warnings.append(
                f"Left out of the definition, because it may lead to the host: {', '.join(names)}."
            )


def _put(disk: ET.Element, place: RequestedDisk) -> None:
    """Have a disk lead to its checked path, and to nothing below it."""
    kind, key = ("block", "dev") if place.path.is_block_device() else ("file", "file")
    source = disk.find("source")
    if source is None or disk.get("type") != kind or source.get(key) != str(place.path):
        for element in disk.findall("source"):
            disk.remove(element)
        ET.SubElement(disk, "source", {key: str(place.path)})
    for source in disk.findall("source"):
        for data_file in source.findall("dataStore"):  # the restored disk has none
            source.remove(data_file)
    disk.set("type", kind)
    for tag in ("backingStore", "mirror"):
        for element in disk.findall(tag):
            disk.remove(element)
    driver = disk.find("driver")
    if driver is None:
        driver = ET.SubElement(disk, "driver", name="qemu")
    driver.set("type", place.format)


def _is_device(path: Path) -> bool:
    """Return whether a path is a device's: a file that is moved there would replace the device's node."""
    return path.is_block_device() or Path("/dev") in path.parents


def _is_drive(disk: ET.Element) -> bool:
    return disk.get("device", "disk") in NO_DATA


def _target(disk: ET.Element) -> str:
    target = disk.find("target")
    return target.get("dev", "") if target is not None else ""


def _listed(names: list[str]) -> str:
    return f"the disk{'s' * (len(names) > 1)} {' and '.join(names)}"
