"""The devices of a boot test's domain: only those that QEMU emulates, by the allow-list of restored VMs."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from include.agent.allow_list import AllowList, below
from include.agent.allowed_elements import ATTRIBUTES, NEEDED

_KEPT = ("controller", "input", "watchdog", "panic", "iommu")
_DISK_CHILDREN = (
    "target", "boot", "serial", "wwn", "vendor", "product", "address", "geometry", "blockio", "readonly",
)  # fmt: skip
_VIDEO_MODELS = ("vga", "cirrus", "virtio", "bochs", "vmvga")  # others need a display or memory of the host's
_NO_DATA = ("cdrom", "floppy")
_DEPENDENT = ("cpu/numa", "devices/controller/driver", "devices/disk/driver")  # on memory and I/O threads
_AGENT = "org.qemu.guest_agent.0"

ALLOWED = AllowList({path: words for path, words in ATTRIBUTES.items() if path not in _DEPENDENT}, NEEDED)
"""The allow-list of restored VMs, without what depends on parts that a boot test's domain doesn't have."""


def devices_of(original: ET.Element, arch: str, disks: dict[str, Path], console: Path) -> ET.Element:
    """Return the devices of a boot test's domain.

    Args:
        original: the VM's devices.
        arch: its architecture.
        disks: the overlay of each disk in the image, by its target.
        console: the file that its serial console is written to.
    """
    devices = ET.Element("devices")
    for device in original:
        devices.extend(_allowed(device, disks))
    devices.append(_video(original, arch))
    serial = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(serial, "source", path=str(console))
    ET.SubElement(serial, "target", port="0")
    ET.SubElement(devices, "memballoon", model="none")
    return devices


def kept(element: ET.Element, tags: tuple[str, ...], path: str = "") -> Iterator[ET.Element]:
    """Yield what is allowed of an element's children with these tags.

    Args:
        element: the element.
        tags: of the children.
        path: the element's path in the domain.
    """
    for child in element:
        if child.tag in tags and (copied := ALLOWED.copy(child, below(path, child))) is not None:
            yield copied


def _allowed(device: ET.Element, disks: dict[str, Path]) -> Iterator[ET.Element]:
    if device.tag == "disk":
        yield from _disk(device, disks)
    elif device.tag == "rng":
        yield from _rng(device)
    elif device.tag == "channel":
        yield from _channel(device)
    elif device.tag in _KEPT:
        new = ALLOWED.copy(device, f"devices/{device.tag}")
        if new is not None:
            if new.tag == "watchdog":
                new.set("action", "reset")  # don't shut it down
            yield new


def _disk(disk: ET.Element, disks: dict[str, Path]) -> Iterator[ET.Element]:
    target = disk.find("target")
    overlay = disks.get(target.get("dev", "") if target is not None else "")
    kind = disk.get("device", "disk")
    if overlay is None and kind not in _NO_DATA:
        return
    new = ET.Element("disk", {**_attributes(disk, ("model",)), "type": "file", "device": kind})
    if overlay is not None:
        new.set("device", "disk")
        ET.SubElement(new, "driver", name="qemu", type="qcow2", cache="unsafe")
        ET.SubElement(new, "source", file=str(overlay))
    new.extend(kept(disk, _DISK_CHILDREN, "devices/disk"))
    yield new


def _rng(device: ET.Element) -> Iterator[ET.Element]:
    new = ET.Element("rng", _attributes(device, ("model",)))
    ET.SubElement(new, "backend", model="random").text = "/dev/urandom"
    new.extend(kept(device, ("address",), f"devices/{device.tag}"))
    yield new


def _channel(device: ET.Element) -> Iterator[ET.Element]:
    """Keep the guest agent's channel; libvirt chooses its socket on the host."""
    if any(target.get("name") == _AGENT for target in device.findall("target")):
        new = ET.Element("channel", type="unix")
        ET.SubElement(new, "target", type="virtio", name=_AGENT)
        new.extend(kept(device, ("address",), f"devices/{device.tag}"))
        yield new


def _video(original: ET.Element, arch: str) -> ET.Element:
    """Return one plain graphics card in the slot of the VM's first; without one there is no screenshot."""
    default = "vga" if arch in ("i686", "x86_64") else "virtio"
    video, first = ET.Element("video"), original.find("video")
    model = first.find("model") if first is not None else None
    kind = model.get("type", default) if model is not None else default
    ET.SubElement(video, "model", type=kind if kind in _VIDEO_MODELS else default, heads="1", primary="yes")
    if first is not None:
        video.extend(kept(first, ("address",), "devices/video"))
    return video


def _attributes(element: ET.Element, keys: tuple[str, ...]) -> dict[str, str]:
    return {key: element.attrib[key] for key in keys if key in element.attrib}
