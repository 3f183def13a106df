"""The definition of a machine as it's drilled: the same board, firmware and disks' places, and nothing else.

It's built anew (libvirt's "Domain XML format"), of what is known to be harmless: no network card, nothing
that is the host's, no path of the kept definition's but that of the firmware, which is only read. Kernels are
copied: libvirt gives the files that it boots to QEMU's own user.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .drill_devices import devices_of

_VIRTUAL = ("kvm", "qemu", "hvf")
_ENDS = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}
_FEATURES = (
    "acpi", "apic", "pae", "hap", "viridian", "privnet", "hyperv", "kvm", "pvspinlock", "pmu", "vmport",
    "gic", "smm", "ioapic", "vmcoreinfo", "htm", "nested-hv", "cfpc", "sbbc", "ibs", "ccf-assist",
)  # fmt: skip
_CPU = ("model", "vendor", "topology", "feature", "cache", "maxphysaddr")
_SYSTEM = ("bios", "system", "baseBoard", "chassis", "oemStrings")
_COPIED = ("kernel", "initrd", "dtb")  # files of the host's
_ON_ITS_OWN = ("cmdline", "boot", "bootmenu", "bios")
_TOLD = {
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
class Drilled:
    """What a drilled machine is given in the place of its own.

    Args:
        name: of the domain that is made for the drill alone.
        uuid: its UUID.
        room: a folder for what it writes.
        disks: the overlay of each disk that is there.
        memory_max_bytes: what it gets at most.
    """

    name: str
    uuid: str
    room: Path
    disks: dict[str, Path]
    memory_max_bytes: int

    @property
    def console(self) -> Path:
        """What it says on its serial console."""
        return self.room / "console.log"

    @property
    def nvram(self) -> Path:
        """Its UEFI variables."""
        return self.room / "nvram.fd"


@dataclass(frozen=True)
class Definition:
    """The definition of a drill's domain.

    Args:
        xml: what libvirt is given.
        memory_bytes: what it gets.
        copies: what is to be copied before it boots: the host's file, by the path of its copy.
        left_out: what a guest may miss, in words.
    """

    xml: str
    memory_bytes: int
    copies: dict[Path, str]
    left_out: list[str]


def drilled(definition: str, given: Drilled) -> Definition:
    """Turn a machine's definition into that of its drill.

    Raises:
        ValueError: it isn't the definition of a domain.
    """
    try:
        was = ET.fromstring(definition)  # noqa: S314 - what libvirt wrote, kept in the vault
    except ET.ParseError as wrong:
        raise ValueError(f"it can't be read ({wrong})") from wrong
    had = was.find("devices")
    if was.tag != "domain" or had is None:
        raise ValueError("it describes no domain with devices")
    if was.get("type") not in _VIRTUAL:
        raise ValueError(f"its type is {was.get('type')!r}, and only {', '.join(_VIRTUAL)} are booted")
    memory = _memory(was, given.memory_max_bytes)
    root = ET.Element("domain", type=str(was.get("type")))
    for tag, text in {"name": given.name, "uuid": given.uuid}.items():
        ET.SubElement(root, tag).text = text
    for tag in ("memory", "currentMemory"):
        ET.SubElement(root, tag, unit="KiB").text = str(memory // _KIB)
    root.extend(list(_board(was, given)))  # a list: extend() would hide an error
    for tag, text in _ENDS.items():
        ET.SubElement(root, tag).text = text
    root.append(devices_of(had, _arch(was), given.disks, given.console))
    copies = {given.room / tag: was.findtext(f"os/{tag}", "") for tag in _COPIED if was.findtext(f"os/{tag}")}
    return Definition(ET.tostring(root, encoding="unicode"), memory, copies, _left_out(had, given))


def _memory(was: ET.Element, most_bytes: int) -> int:
    memory = was.find("memory")
    if memory is None:
        return most_bytes
    wanted = int(memory.text or 0) * _UNITS.get(memory.get("unit", "KiB"), _KIB)
    return max(min(wanted, most_bytes), _KIB)


def _arch(was: ET.Element) -> str:
    found = was.find("os/type")
    return found.get("arch", "x86_64") if found is not None else "x86_64"


def _board(was: ET.Element, given: Drilled) -> Iterable[ET.Element]:
    """Give what isn't a device: processors, firmware, features, clock."""
    for vcpu in was.findall("vcpu"):
        kept = ET.Element("vcpu", {key: vcpu.attrib[key] for key in ("current",) if key in vcpu.attrib})
        kept.text = vcpu.text
        yield kept
    system = was.find("sysinfo[@type='smbios']")
    if system is not None:
        yield _system(system)
    yield _firmware(was, given, smbios=system is not None)
    yield from (_only(features, _FEATURES) for features in was.findall("features"))
    yield from (_only(cpu, _CPU) for cpu in was.findall("cpu"))
    yield from (_only(clock, ("timer",)) for clock in was.findall("clock"))
    yield from (_only(power, ("suspend-to-mem", "suspend-to-disk")) for power in was.findall("pm"))


def _system(sysinfo: ET.Element) -> ET.Element:
    """Keep what the machine's firmware says of itself, but its UUID, which is the real machine's."""
    kept = _only(sysinfo, _SYSTEM)
    for system in kept.findall("system"):
        for entry in system.findall("entry[@name='uuid']"):
            system.remove(entry)
    return kept


def _firmware(was: ET.Element, given: Drilled, *, smbios: bool) -> ET.Element:
    old = was.find("os")
    if old is None or old.findtext("type") != "hvm":
        raise ValueError("it doesn't say which firmware it has (os/type: hvm)")
    new = ET.Element("os", {"firmware": old.attrib["firmware"]} if "firmware" in old.attrib else {})
    new.extend(_copied(old, ("type", "firmware", "loader")))
    for loader in new.findall("loader"):
        loader.set("readonly", "yes")
    if _has_variables(old):
        new.append(_variables(old, given))
    for tag in _COPIED:
        if old.findtext(tag):
            ET.SubElement(new, tag).text = str(given.room / tag)
    new.extend(_copied(old, _ON_ITS_OWN))
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


def _variables(system: ET.Element, given: Drilled) -> ET.Element:
    """Name a copy of the UEFI variables; libvirt makes one of its template where none was kept."""
    old = system.find("nvram")
    had = old.attrib if old is not None else {}
    new = ET.Element(
        "nvram", {key: had[key] for key in ("template", "templateFormat", "format") if key in had}
    )
    new.text = str(given.nvram)
    return new


def _only(element: ET.Element, tags: tuple[str, ...]) -> ET.Element:
    kept = ET.Element(element.tag, element.attrib)
    kept.extend(_copied(element, tags))
    return kept


def _copied(element: ET.Element, tags: tuple[str, ...]) -> Iterator[ET.Element]:
    yield from (copy.deepcopy(child) for child in element if child.tag in tags)


def _left_out(had: ET.Element, given: Drilled) -> list[str]:
    told = {_TOLD[device.tag]: None for device in had if device.tag in _TOLD}
    names = [
        target.get("dev", "")
        for disk in had.findall("disk")
        if disk.get("device", "disk") not in _NO_DATA
        for target in disk.findall("target")
    ]
    return [*told, *(f"its disk {name}" for name in names if name not in given.disks)]
