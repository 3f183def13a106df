"""Adapt a VM's definition for a restore beside the original: XML in, XML out (libvirt's "Domain XML format").

The new VM has another name, UUID and MAC address, and its network links are down. What else stays of the
definition, the host decides (``include/agent/restore/definition.py``); it keeps nothing that leads to it.
"""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from include.errors import VaultError

ET.register_namespace("qemu", "http://libvirt.org/schemas/domain/qemu/1.0")


@dataclass(frozen=True)
class NewVm:
    """The new VM beside the original.

    Args:
        name: the new name.
        uuid: the new UUID.
        nvram: the path of the UEFI variables; None without any.
    """

    name: str
    uuid: str
    nvram: str | None


def name_of(xml: str) -> str:
    """Return a VM's name.

    Raises:
        VaultError: the definition isn't XML.
    """
    return _parsed(xml).findtext("name", "")


def uuid_of(xml: str) -> str:
    """Return a VM's UUID.

    Raises:
        VaultError: the definition isn't XML.
    """
    return _parsed(xml).findtext("uuid", "")


def nvram_of(xml: str) -> str | None:
    """Return the path of the file or device with a VM's UEFI variables; None if the definition has none."""
    found = _parsed(xml).find("./os/nvram")
    if found is None:
        return None
    source = found.find("source")
    return (source.get("file") or source.get("dev")) if source is not None else found.text


def is_block(xml: str, target: str) -> bool:
    """Return whether a disk is on a block device of the host."""
    return any(
        disk.get("type") == "block"
        for disk in _parsed(xml).iterfind("./devices/disk")
        if _target(disk) == target
    )


def beside(xml: str, new: NewVm) -> str:
    """Return the definition of a new VM that can be defined beside the original.

    Args:
        xml: the original's definition.
        new: the new VM.

    Raises:
        VaultError: the definition isn't XML.
    """
    domain = _parsed(xml)
    _name(domain, new)
    for devices in domain.findall("devices"):
        _interfaces(devices)
        for cid in devices.iterfind("vsock/cid"):
            cid.attrib.clear()
            cid.set("auto", "yes")
    return ET.tostring(domain, encoding="unicode")


def _name(domain: ET.Element, new: NewVm) -> None:
    for tag, text in (("name", new.name), ("uuid", new.uuid)):
        element = domain.find(tag)
        (ET.SubElement(domain, tag) if element is None else element).text = text
    for entry in domain.iterfind("./sysinfo/system/entry[@name='uuid']"):
        entry.text = new.uuid  # libvirt requires it to equal the UUID
    for generation in domain.iterfind("./genid"):
        generation.text = None  # libvirt generates a new one, so that the guest notices the copy
    nvram = domain.find("./os/nvram")
    if nvram is not None and new.nvram:
        for source in nvram.findall("source"):
            nvram.remove(source)
        nvram.attrib.pop("type", None)
        nvram.text = new.nvram


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


def files_beside(
    xml: str, name: str, folder: str | None, formats: Mapping[str, str], paths: Mapping[str, str]
) -> dict[str, str]:
    """Return the path of each disk of a new VM, by target.

    Args:
        xml: the original's definition.
        name: the new VM's name.
        folder: the folder for the disks; None for the folders of the original's disks.
        formats: ``raw`` or ``qcow2``, by target.
        paths: the paths of the original's disks, by target.

    Raises:
        KeyError: a disk is on a block device, and there is no folder; the argument is its target.
    """
    found = {}
    name = name.replace("\t", " ")  # libvirt writes paths as attributes, in which XML makes a tab a blank
    for target, form in formats.items():
        if folder is None and is_block(xml, target):
            raise KeyError(target)
        parent = PurePosixPath(folder) if folder else PurePosixPath(paths[target]).parent
        found[target] = str(parent / f"{name}-{target}.{form}")
    return found


def _parsed(xml: str) -> ET.Element:
    try:
        return ET.fromstring(xml)  # noqa: S314 - expat refuses to expand entities without end
    except ET.ParseError as error:
        raise VaultError(f"The VM's definition in the vault isn't XML: {error}.") from error


def _target(disk: ET.Element) -> str:
    target = disk.find("target")
    return target.get("dev", "") if target is not None else ""
