"""The definition of a machine as it's drilled: the same board, firmware and disks' places, and nothing else.

What isn't known to be harmless is left out: network cards, what is passed through from the host, folders of
the host's, other consoles, options for QEMU itself. Only overlays are written to, never what lies below them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

_KEPT_DEVICES = {"emulator", "disk", "controller", "input", "video", "channel", "rng", "watchdog", "panic"}
_TUNING = (
    "seclabel", "resource", "cputune", "numatune", "memtune", "blkiotune", "memoryBacking", "maxMemory",
    "iothreads", "iothreadids", "perf", "genid", "metadata", "on_lockfailure", "cpu/numa", "throttlegroups",
)  # fmt: skip
_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_AGENT_CHANNEL = "target[@name='org.qemu.guest_agent.0']"
_OF_A_DISK = ("target", "boot", "serial", "wwn", "address", "alias", "geometry", "blockio", "readonly")
_EMPTY = ("cdrom", "floppy")
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


def drilled(definition: str, given: Drilled) -> str:
    """Turn a machine's definition into that of its drill.

    Raises:
        ValueError: it isn't the definition of a domain.
    """
    try:
        root = ET.fromstring(definition)  # noqa: S314 - what libvirt wrote, kept in the vault
    except ET.ParseError as wrong:
        raise ValueError(f"it can't be read ({wrong})") from wrong
    devices = root.find("devices")
    if root.tag != "domain" or devices is None:
        raise ValueError("it describes no domain with devices")
    root.attrib.pop("id", None)
    _name(root, given)
    _cap_memory(root, given.memory_max_bytes)
    for path in _TUNING:
        _drop(root, path)
    for child in [child for child in root if child.tag.startswith(_QEMU)]:
        root.remove(child)  # options past libvirt may open files, ports and networks of the host
    _isolate_firmware(root, given)
    _isolate_devices(devices, given)
    return ET.tostring(root, encoding="unicode")


def _name(root: ET.Element, given: Drilled) -> None:
    ends = {"on_poweroff": "destroy", "on_reboot": "destroy", "on_crash": "destroy"}
    for tag, text in {"name": given.name, "uuid": given.uuid, **ends}.items():
        _set(root, tag, text)


def _cap_memory(root: ET.Element, most_bytes: int) -> None:
    memory = root.find("memory")
    wanted = most_bytes
    if memory is not None:
        wanted = min(int(memory.text or 0) * _UNITS.get(memory.get("unit", "KiB"), _KIB), most_bytes)
    for tag in ("memory", "currentMemory"):
        element = _set(root, tag, str(wanted // _KIB))
        element.attrib.clear()
        element.set("unit", "KiB")
    for vcpu in root.findall("vcpu"):
        vcpu.attrib.pop("cpuset", None)


def _isolate_firmware(root: ET.Element, given: Drilled) -> None:
    for loader in root.findall("os/loader"):
        loader.set("readonly", "yes")  # it's a file of the host's
    for nvram in root.findall("os/nvram"):
        for child in list(nvram):
            nvram.remove(child)
        nvram.attrib.pop("type", None)
        nvram.text = str(given.nvram)


def _isolate_devices(devices: ET.Element, given: Drilled) -> None:
    for device in list(devices):
        if device.tag not in _KEPT_DEVICES or not _fits(device, given):
            devices.remove(device)
    for video in devices.findall("video"):
        _plain(video)
    if devices.find("video") is None:
        ET.SubElement(ET.SubElement(devices, "video"), "model", type="vga")  # or there's no picture
    console = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(console, "source", path=str(given.console))
    ET.SubElement(console, "target", port="0")
    ET.SubElement(devices, "memballoon", model="none")


def _fits(device: ET.Element, given: Drilled) -> bool:
    """Tell whether a device may stay; what of it leads out is taken off."""
    if device.tag == "channel":
        _drop(device, "source")
        return device.find(_AGENT_CHANNEL) is not None
    if device.tag == "rng":
        return device.find("backend[@model='random']") is not None
    if device.tag == "input":
        return device.get("type") not in ("passthrough", "evdev")
    return device.tag != "disk" or _overlaid(device, given)


def _overlaid(disk: ET.Element, given: Drilled) -> bool:
    target = disk.find("target")
    overlay = given.disks.get(target.get("dev", "") if target is not None else "")
    kind = disk.get("device", "disk")
    if overlay is None and kind not in _EMPTY:
        return False
    for child in [child for child in disk if child.tag not in _OF_A_DISK]:
        disk.remove(child)
    disk.attrib.clear()
    disk.attrib.update({"type": "file", "device": kind if overlay is None else "disk"})
    if overlay is not None:
        disk.insert(0, ET.Element("source", file=str(overlay)))
        disk.insert(0, ET.Element("driver", name="qemu", type="qcow2", cache="unsafe"))
    return True


def _plain(video: ET.Element) -> None:
    """Have a card that needs no display of the host's: qxl is SPICE's, and acceleration the host's GPU."""
    for model in video.findall("model"):
        _drop(model, "acceleration")
        if model.get("type") == "qxl":
            model.attrib.clear()
            model.set("type", "vga")


def _drop(root: ET.Element, path: str) -> None:
    parent, _, tag = path.rpartition("/")
    for above in root.findall(parent) if parent else [root]:
        for element in above.findall(tag):
            above.remove(element)


def _set(root: ET.Element, tag: str, text: str) -> ET.Element:
    element = root.find(tag)
    if element is None:
        element = ET.SubElement(root, tag)
    element.text = text
    return element
