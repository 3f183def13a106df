"""The definition of a boot test's domain: the VM's board, firmware and disk slots, and nothing else.

It's built from the allow-list of restored VMs (``allowed_elements.py``): no network card, no device of the
host's, and of the VM's paths only that of its firmware, which is opened read-only. Kernels are copied,
because libvirt changes the owner of the files that it boots to QEMU's own user.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from include.agent.boot_test.devices import devices_of, kept

_TYPES = ("kvm", "qemu", "hvf")
_LIFECYCLE = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
_COPIED_FILES = ("kernel", "initrd", "dtb")  # files of the host's
_MISSED = {
    "tpm": "its TPM",
    "hostdev": "a device of the host's",
    "filesystem": "a folder of the host's",
    "redirdev": "a redirected USB device",
    "shmem": "memory shared with others",
}
_NO_DATA = ("cdrom", "floppy")
_KIB = 1024
_UNITS = {"b": 1, "bytes": 1, "KB": 10**3, "k": 2**10, "KiB": 2**10, "MB": 10**6, "M": 2**20, "MiB": 2**20,
          "GB": 10**9, "G": 2**30, "GiB": 2**30, "TB": 10**12, "T": 2**40, "TiB": 2**40}  # fmt: skip


@dataclass(frozen=True)
class BootSubstitutes:
    """What a boot test's domain gets in place of the VM's own.

    Args:
        name: the name of the temporary domain.
        uuid: its UUID.
        folder: the work folder, for what it writes.
        disks: the overlay of each disk in the image, by its target, such as ``vda``.
        memory_max_bytes: the most memory that it gets.
    """

    name: str
    uuid: str
    folder: Path
    disks: dict[str, Path]
    memory_max_bytes: int

    @property
    def console(self) -> Path:
        """The file that its serial console is written to."""
        return self.folder / "console.log"

    @property
    def nvram(self) -> Path:
        """The file of its UEFI variables."""
        return self.folder / "nvram.fd"


@dataclass(frozen=True)
class BootDefinition:
    """The definition of a boot test's domain.

    Args:
        xml: the XML for ``virsh create``.
        memory_bytes: its memory.
        copies: files to copy before it boots: the host's file, by the path of its copy.
        left_out: what the guest may miss, such as "its TPM".
    """

    xml: str
    memory_bytes: int
    copies: dict[Path, str]
    left_out: list[str]


def boot_definition(definition: str, substitutes: BootSubstitutes) -> BootDefinition:
    """Return the boot test's definition for a VM's.

    Raises:
        ValueError: it isn't the definition of a domain that can be booted.
    """
    try:
        original = ET.fromstring(definition)  # noqa: S314 - libvirt wrote it; the vault verifies it
    except ET.ParseError as wrong:
        raise ValueError(f"it isn't XML ({wrong})") from wrong
    devices = original.find("devices")
    if original.tag != "domain" or devices is None:
        raise ValueError("it isn't a domain with devices")
    if original.get("type") not in _TYPES:
        raise ValueError(f"its type is {original.get('type')!r}; only {', '.join(_TYPES)} can be booted")
    memory = _memory(original, substitutes.memory_max_bytes)
    root = ET.Element("domain", type=str(original.get("type")))
    for tag, text in {"name": substitutes.name, "uuid": substitutes.uuid}.items():
        ET.SubElement(root, tag).text = text
    for tag in ("memory", "currentMemory"):
        ET.SubElement(root, tag, unit="KiB").text = str(memory // _KIB)
    root.extend(list(_board(original, substitutes)))  # a list, since extend() hides the error of a generator
    for tag, text in _LIFECYCLE.items():
        ET.SubElement(root, tag).text = text
    root.append(devices_of(devices, _arch(original), substitutes.disks, substitutes.console))
    booted = {tag: original.findtext(f"os/{tag}") for tag in _COPIED_FILES}
    copies = {substitutes.folder / tag: path for tag, path in booted.items() if path}
    xml = ET.tostring(root, encoding="unicode")
    return BootDefinition(xml, memory, copies, _left_out(devices, substitutes))


def _memory(original: ET.Element, max_bytes: int) -> int:
    memory = original.find("memory")
    if memory is None:
        return max_bytes
    own_bytes = int(memory.text or 0) * _UNITS.get(memory.get("unit", "KiB"), _KIB)
    return max(min(own_bytes, max_bytes), _KIB)


def _arch(original: ET.Element) -> str:
    found = original.find("os/type")
    return found.get("arch", "x86_64") if found is not None else "x86_64"


def _board(original: ET.Element, substitutes: BootSubstitutes) -> Iterable[ET.Element]:
    """Yield what isn't a device: processors, firmware, features, clock."""
    for vcpu in original.findall("vcpu"):
        new = ET.Element("vcpu", {key: vcpu.attrib[key] for key in ("current",) if key in vcpu.attrib})
        new.text = vcpu.text
        yield new
    systems = list(kept(original, ("sysinfo",)))
    for entries in [system for sysinfo in systems for system in sysinfo.findall("system")]:
        for entry in entries.findall("entry[@name='uuid']"):  # the real VM's
            entries.remove(entry)
    yield from systems
    yield _firmware(original, substitutes, smbios=bool(systems))
    yield from kept(original, ("features", "cpu", "clock", "pm"))


def _firmware(original: ET.Element, substitutes: BootSubstitutes, *, smbios: bool) -> ET.Element:
    old = original.find("os")
    if old is None or old.findtext("type") != "hvm":
        raise ValueError("its os/type isn't hvm")
    new = ET.Element("os", {"firmware": old.attrib["firmware"]} if "firmware" in old.attrib else {})
    new.extend(kept(old, ("type", "firmware", "loader"), "os"))
    for loader in new.findall("loader"):
        loader.set("readonly", "yes")
    if _has_variables(old):
        new.append(_variables(old, substitutes))
    for tag in _COPIED_FILES:
        if old.findtext(tag):
            ET.SubElement(new, tag).text = str(substitutes.folder / tag)
    if cmdline := old.findtext("cmdline"):
        ET.SubElement(new, "cmdline").text = cmdline
    new.extend(kept(old, ("boot", "bootmenu", "bios"), "os"))
    for boot in new.findall("boot[@dev='network']"):
        new.remove(boot)
    if smbios:
        ET.SubElement(new, "smbios", mode="sysinfo")
    return new


def _has_variables(system: ET.Element) -> bool:
    loader = system.find("loader")
    stateless = loader is not None and loader.get("stateless") == "yes"
    flash = loader is not None and loader.get("type") == "pflash"
    return not stateless and (system.get("firmware") == "efi" or flash or system.find("nvram") is not None)


def _variables(system: ET.Element, substitutes: BootSubstitutes) -> ET.Element:
    """Return the element of the UEFI variables' copy; libvirt makes one from its template if it's missing."""
    old = system.find("nvram")
    attributes = old.attrib if old is not None else {}
    keys = ("template", "templateFormat", "format")
    new = ET.Element("nvram", {key: attributes[key] for key in keys if key in attributes})
    new.text = str(substitutes.nvram)
    return new


def _left_out(devices: ET.Element, substitutes: BootSubstitutes) -> list[str]:
    missed = {_MISSED[device.tag]: None for device in devices if device.tag in _MISSED}
    names = [
        target.get("dev", "")
        for disk in devices.findall("disk")
        if disk.get("device", "disk") not in _NO_DATA
        for target in disk.findall("target")
    ]
    return [*missed, *(f"its disk {name}" for name in names if name not in substitutes.disks)]
