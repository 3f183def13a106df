"""The definition of the machine that a restored one becomes: XML in, XML out (libvirt's "Domain XML format").

Beside the machine that it was, it shares nothing with it: another name, UUID and MAC address, network links
down, no socket, port, log or device of the host's that only one machine can have.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from include.listing import named

ET.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")
_NO_DATA = ("cdrom", "floppy")
_OF_THE_HOST = {
    "hostdev": "a device of the host's",
    "filesystem": "a folder of the host's",
    "shmem": "memory shared with others",
    "lease": "a lease",
    "redirdev": "a redirected USB device",
}
_TAKEN_INTERFACES = ("hostdev", "vhostuser", "vdpa")
_CHARACTER_DEVICES = ("serial", "console", "parallel", "channel")


@dataclass(frozen=True)
class Definition:
    """A definition, and what a person should know of it, as sentences."""

    xml: str
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class NewMachine:
    """What a machine becomes beside itself.

    Args:
        name: its name.
        uuid: its UUID.
        disks: the path of each disk, by its target, such as ``vda``.
        nvram: the path of its UEFI variables, if it has any.
    """

    name: str
    uuid: str
    disks: Mapping[str, str]
    nvram: str | None


def uuid_of(xml: str) -> str:
    """Give a machine's UUID."""
    return _parsed(xml).findtext("uuid", "")


def nvram_of(xml: str) -> str | None:
    """Give the path of a machine's UEFI variables, if it has any."""
    found = _parsed(xml).find("./os/nvram")
    if found is None:
        return None
    source = found.find("source")
    return source.get("file") if source is not None else found.text


def is_block(xml: str, target: str) -> bool:
    """Tell whether a disk lies on a block device of the host's."""
    return any(
        disk.get("type") == "block"
        for disk in _parsed(xml).iterfind("./devices/disk")
        if _target(disk) == target
    )


def in_place(xml: str, moved: Mapping[str, str]) -> Definition:
    """Give a machine's own definition, with some disks in other files.

    Args:
        xml: the definition.
        moved: the path of each such disk, by its target.
    """
    domain = _parsed(xml)
    for disk in domain.iterfind("./devices/disk"):
        if (target := _target(disk)) in moved:
            _put(disk, moved[target])
        for below in disk.findall("backingStore"):
            disk.remove(below)  # what is restored needs no other file
    return Definition(ET.tostring(domain, encoding="unicode"))


def beside(xml: str, becomes: NewMachine) -> Definition:
    """Give the definition of a new machine that is as this one was, and can be defined beside it.

    Args:
        xml: the definition of the old one.
        becomes: what is new.
    """
    domain = _parsed(xml)
    devices = domain.find("devices")
    warnings: list[str] = []
    _name(domain, becomes)
    if devices is not None:
        warnings += [*_disks(devices, becomes.disks), *_left_out(devices)]
        _interfaces(devices)
        _character_devices(devices)
        _graphics(devices)
        _others(devices)
    for arguments in [one for one in domain if one.tag.startswith("{http://libvirt.org/schemas/domain/qemu")]:
        domain.remove(arguments)
        warnings.append("Its own arguments for QEMU (qemu:commandline) were left out.")
    return Definition(ET.tostring(domain, encoding="unicode"), tuple(warnings))


def _name(domain: ET.Element, becomes: NewMachine) -> None:
    for tag, text in (("name", becomes.name), ("uuid", becomes.uuid)):
        one = domain.find(tag)
        (ET.SubElement(domain, tag) if one is None else one).text = text
    for entry in domain.iterfind("./sysinfo/system/entry[@name='uuid']"):
        entry.text = becomes.uuid  # libvirt wants them equal
    for generation in domain.iterfind("./genid"):
        generation.text = None  # a new one: guests are to know that they are copies
    nvram = domain.find("./os/nvram")
    if nvram is not None and becomes.nvram:
        for source in nvram.findall("source"):
            nvram.remove(source)
        nvram.attrib.pop("type", None)
        nvram.text = becomes.nvram
    for label in domain.findall("./seclabel[@type='static']"):
        domain.remove(label)


def _disks(devices: ET.Element, paths: Mapping[str, str]) -> list[str]:
    empty = []
    for disk in devices.iterfind("disk"):
        if disk.get("device") in _NO_DATA:
            for source in disk.findall("source"):
                disk.remove(source)
                empty.append(_target(disk))
        elif (target := _target(disk)) in paths:
            _put(disk, paths[target])
    return [f"Its drive {named(empty)} is empty."] if empty else []


def _put(disk: ET.Element, path: str) -> None:
    disk.set("type", "file")
    for tag in ("source", "backingStore", "mirror"):
        for found in disk.findall(tag):
            disk.remove(found)
    ET.SubElement(disk, "source", file=path)


def _left_out(devices: ET.Element) -> list[str]:
    gone = [(one, _OF_THE_HOST[one.tag]) for one in devices if one.tag in _OF_THE_HOST]
    gone += [
        (one, f"a network interface ({one.get('type')})")
        for one in devices.iterfind("interface")
        if one.get("type") in _TAKEN_INTERFACES
    ]
    gone += [
        (tpm, "the host's TPM")
        for tpm in devices.findall("tpm")
        if tpm.find("backend[@type='passthrough']") is not None
    ]
    gone += [
        (one, "memory of the host's")
        for one in devices.iterfind("memory")
        if one.find("source/path") is not None
    ]
    for one, _ in gone:
        devices.remove(one)
    return [f"Left out, since only one machine can have it: {what}." for _, what in gone]


def _interfaces(devices: ET.Element) -> None:
    for interface in devices.iterfind("interface"):
        for tag in ("mac", "target", "link", "backenddomain"):
            for found in interface.findall(tag):
                interface.remove(found)
        for source in interface.iterfind("source"):
            source.attrib.pop("portid", None)
        for parameters in interface.iterfind("virtualport/parameters"):
            parameters.attrib.pop("interfaceid", None)
        ET.SubElement(interface, "link", state="down")


def _character_devices(devices: ET.Element) -> None:
    """Have libvirt choose where a channel goes, and let all others end in a pseudo-terminal."""
    for device in devices:
        if device.tag not in _CHARACTER_DEVICES:
            continue
        unique = [found for tag in ("source", "log", "protocol") for found in device.findall(tag)]
        if device.get("type") in ("spicevmc", "spiceport", "dbus", "qemu-vdagent"):
            unique = []
        for found in unique:
            device.remove(found)
        if device.tag == "channel" and device.get("type") == "unix":
            continue
        if unique:
            device.set("type", "pty")
        device.attrib.pop("tty", None)


def _graphics(devices: ET.Element) -> None:
    for graphics in devices.iterfind("graphics"):
        for key in ("port", "tlsPort", "websocket", "socket"):
            graphics.attrib.pop(key, None)
        if graphics.get("type") in ("vnc", "spice", "rdp"):
            graphics.set("autoport", "yes")
        for listen in graphics.findall("listen[@type='socket']"):
            graphics.remove(listen)


def _others(devices: ET.Element) -> None:
    for source in devices.findall("tpm/backend[@type='emulator']"):
        for place in source.findall("source"):
            source.remove(place)
    for cid in devices.iterfind("vsock/cid"):
        cid.attrib.clear()
        cid.set("auto", "yes")


def files_beside(
    xml: str, name: str, folder: str | None, formats: Mapping[str, str], paths: Mapping[str, str]
) -> dict[str, str]:
    """Give the path of each disk of a new machine, by its target.

    Args:
        xml: the old one's definition.
        name: the new one's name.
        folder: where to; None: where the old one's disk lies.
        formats: ``raw`` or ``qcow2``, by target.
        paths: the old one's, by target.

    Raises:
        KeyError: a disk lies on a block device, and no folder is given; names it.
    """
    found = {}
    for target, form in formats.items():
        if folder is None and is_block(xml, target):
            raise KeyError(target)
        where = PurePosixPath(folder) if folder else PurePosixPath(paths[target]).parent
        found[target] = str(where / f"{name}-{target}.{form}")
    return found


def _parsed(xml: str) -> ET.Element:
    return ET.fromstring(xml)  # noqa: S314 - libvirt's own words, kept in the vault


def _target(disk: ET.Element) -> str:
    target = disk.find("target")
    return target.get("dev", "") if target is not None else ""
