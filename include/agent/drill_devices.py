"""The devices of a machine as it's drilled: those that are QEMU's own, with what is known of each."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

# Of each device: the attributes, and the children, that stay. What leads to the host is in none of them.
_KEPT = {
    "controller": (("type", "index", "model", "ports", "vectors"), ("address", "master", "model", "target")),
    "input": (("type", "bus", "model"), ("address",)),
    "watchdog": (("model",), ("address",)),
    "panic": (("model",), ("address",)),
    "iommu": (("model",), ("driver", "address")),
}
_OF_A_DISK = (
    "target",
    "boot",
    "serial",
    "wwn",
    "vendor",
    "product",
    "address",
    "geometry",
    "blockio",
    "readonly",
)
_CONTROLLERS = ("ide", "fdc", "scsi", "sata", "usb", "ccid", "virtio-serial", "pci", "isa")
_INPUTS = ("mouse", "tablet", "keyboard")
_CARDS = ("vga", "cirrus", "virtio", "bochs", "vmvga")  # others want a display, or memory, of the host's
_EMPTY = ("cdrom", "floppy")
_AGENT = "org.qemu.guest_agent.0"


def devices_of(had: ET.Element, arch: str, disks: dict[str, Path], console: Path) -> ET.Element:
    """Give the devices of a drill's domain.

    Args:
        had: those of the machine.
        arch: its architecture.
        disks: the overlay of each disk that is there, by its target.
        console: the file that its serial console is written to.
    """
    devices = ET.Element("devices")
    for device in had:
        devices.extend(_kept(device, disks))
    devices.append(_screen(had, arch))
    serial = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(serial, "source", path=str(console))
    ET.SubElement(serial, "target", port="0")
    ET.SubElement(devices, "memballoon", model="none")
    return devices


def _copied(element: ET.Element, tags: tuple[str, ...]) -> Iterator[ET.Element]:
    for child in element:
        if child.tag in tags:
            kept = ET.Element(child.tag, child.attrib)  # and nothing that is in it
            kept.text = child.text
            yield kept


def _kept(device: ET.Element, disks: dict[str, Path]) -> Iterator[ET.Element]:
    if device.tag == "disk":
        yield from _disk(device, disks)
    elif device.tag == "rng":
        yield from _random(device)
    elif device.tag == "channel":
        yield from _channel(device)
    elif device.tag in _KEPT and _is_plain(device):
        attributes, children = _KEPT[device.tag]
        kept = ET.Element(device.tag, _some(device, attributes))
        kept.extend(_copied(device, children))
        if device.tag == "watchdog":
            kept.set("action", "reset")  # not: dump its memory, or shut it down
        yield kept


def _is_plain(device: ET.Element) -> bool:
    if device.tag == "input":
        return device.get("type") in _INPUTS
    return device.tag != "controller" or device.get("type") in _CONTROLLERS


def _disk(disk: ET.Element, disks: dict[str, Path]) -> Iterator[ET.Element]:
    target = disk.find("target")
    overlay = disks.get(target.get("dev", "") if target is not None else "")
    kind = disk.get("device", "disk")
    if overlay is None and kind not in _EMPTY:
        return
    kept = ET.Element("disk", {**_some(disk, ("model",)), "type": "file", "device": kind})
    if overlay is not None:
        kept.set("device", "disk")
        ET.SubElement(kept, "driver", name="qemu", type="qcow2", cache="unsafe")
        ET.SubElement(kept, "source", file=str(overlay))
    kept.extend(_copied(disk, _OF_A_DISK))
    yield kept


def _random(device: ET.Element) -> Iterator[ET.Element]:
    kept = ET.Element("rng", _some(device, ("model",)))
    ET.SubElement(kept, "backend", model="random").text = "/dev/urandom"
    kept.extend(_copied(device, ("address",)))
    yield kept


def _channel(device: ET.Element) -> Iterator[ET.Element]:
    """Keep the guest agent's; libvirt itself chooses where it ends at the host."""
    if any(target.get("name") == _AGENT for target in device.findall("target")):
        kept = ET.Element("channel", type="unix")
        ET.SubElement(kept, "target", type="virtio", name=_AGENT)
        kept.extend(_copied(device, ("address",)))
        yield kept


def _screen(had: ET.Element, arch: str) -> ET.Element:
    """Give one plain graphics card, in the place of the machine's first: or there's no picture."""
    usual = "vga" if arch in ("i686", "x86_64") else "virtio"
    video, first = ET.Element("video"), had.find("video")
    model = first.find("model") if first is not None else None
    kind = model.get("type", usual) if model is not None else usual
    ET.SubElement(video, "model", type=kind if kind in _CARDS else usual, heads="1", primary="yes")
    if first is not None:
        video.extend(_copied(first, ("address",)))
    return video


def _some(element: ET.Element, keys: tuple[str, ...]) -> dict[str, str]:
    return {key: element.attrib[key] for key in keys if key in element.attrib}
