"""What a domain's XML names and no image has: devices, folders, files and state of its host.

The forms are those of libvirt's "Domain XML format". Disks that can't be read aren't among them, nor SCSI
devices that are passed through: a VM that has one isn't backed up at all (``domain.py``).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator

KINDS = (
    "cdrom", "floppy", "share", "pci", "usb", "mdev", "host_device", "memory", "shared_memory", "smartcard",
    "pstore", "boot_file", "qemu_option", "nvram", "tpm", "tpm_key", "snapshots",
)  # fmt: skip
"""The kinds of what is left out, as ``include/vms/left_out.py`` has them."""

DRIVES = ("cdrom", "floppy")
REFUSED_HOSTDEVS = ("scsi", "scsi_host")
"""The types of ``<hostdev>`` that are disks: a VM that has one isn't backed up."""

_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_DATA_OPTIONS = {
    "blockdev", "drive", "hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "sd", "mtdblock", "pflash",
    "fsdev", "virtfs", "usbdevice", "tpmdev", "kernel", "initrd", "dtb", "bios", "acpitable", "readconfig",
}  # fmt: skip
# Where consoles and networks lead to holds no data of the guest.
_CONNECTIONS = {
    "chardev", "serial", "parallel", "monitor", "mon", "qmp", "netdev", "net", "nic", "vnc", "spice",
    "display", "audiodev", "trace", "pidfile", "D", "d", "L",
}  # fmt: skip
_PASSTHROUGH = re.compile(
    r"(\{.*\"driver\": *\")?(vfio|usb-host|usb-mtp|scsi-block|scsi-generic|vhost|nvdimm)"
)
_NAMES_A_PATH = re.compile(r"(^|[=:,\"])/")
_PASSWORD = re.compile(r"(?<=://)([^/@,\"]|,,)*@")
_SECRET = re.compile(r"""(?<![\w-])((key|password|data)"?\ *[=:]\ *"?)((?<=")[^"]*|([^",:}\\]|,,|\\.)+)""")
_NO_KEY = "It encrypts the TPM's state, and only libvirt has it: keep it yourself (virsh secret-get-value)."


def left_out(*definitions: ET.Element) -> list[dict[str, str]]:
    """Return what the definitions of one domain name and its image won't have, each thing once.

    Args:
        definitions: the persistent one, and the running one if there is one.

    Returns:
        ``kind`` (of :data:`KINDS`), ``name`` (the guest's or libvirt's, or empty), ``where`` (a path,
        an address, or empty) and ``reason`` (why, as sentences, where the kind alone doesn't say it).
    """
    found = [one for root in definitions for part in _PARTS for one in part(root)]
    return list({tuple(one.values()): one for one in found}.values())


def hostdev_address(hostdev: ET.Element) -> str:
    """Return which device is passed through: ``0000:03:00.0``, ``046d:0825``, ``scsi_host0 0:0:1``."""
    source = hostdev.find("source")
    if source is None:
        return ""
    ids = [source.find(tag) for tag in ("vendor", "product")]
    if all(one is not None for one in ids):
        return ":".join(one.get("id", "").replace("0x", "", 1) for one in ids if one is not None)
    words = [_attribute(source, "adapter", "name"), _address_in(source)]
    words += [source.get(key, "") for key in ("protocol", "name", "wwpn")]
    words += [source.findtext(tag, "") for tag in ("block", "char", "interface")]
    return " ".join(filter(None, words))


def one_left_out(kind: str, name: str = "", where: str = "", reason: str = "") -> dict[str, str]:
    """Return an entry as :func:`left_out` does."""
    return {"kind": kind, "name": name, "where": where, "reason": reason}


def _address_in(source: ET.Element) -> str:
    """Return the address of a device of the host, as ``<source>`` has it; empty if it has none."""
    address = source.find("address")
    if address is None:
        return ""
    value = address.get
    if value("uuid"):
        return str(value("uuid"))
    if value("slot"):
        return _pci_address([value(key, "0") for key in ("domain", "bus", "slot", "function")])
    if value("device"):
        return f"bus {value('bus', '?')} device {value('device')}"
    return ":".join(value(key, "0") for key in ("bus", "target", "unit"))


def _pci_address(numbers: list[str]) -> str:
    try:
        return "{:04x}:{:02x}:{:02x}.{:x}".format(*(int(number, 0) for number in numbers))
    except ValueError:  # a definition from a vault may have anything
        return ":".join(numbers)


def _drives(root: ET.Element) -> Iterator[dict[str, str]]:
    for disk in root.iterfind("./devices/disk"):
        source = disk.find("source")
        medium = _place(source) if source is not None else ""
        if disk.get("device") in DRIVES and medium:  # an empty drive holds nothing
            yield one_left_out(str(disk.get("device")), _attribute(disk, "target", "dev"), medium)


def _shares(root: ET.Element) -> Iterator[dict[str, str]]:
    for share in root.iterfind("./devices/filesystem"):
        source = share.find("source")
        if share.get("type") != "ram":
            place = _place(source) if source is not None else ""
            yield one_left_out("share", _attribute(share, "target", "dir"), place)


def _host_devices(root: ET.Element) -> Iterator[dict[str, str]]:
    for hostdev in root.iterfind("./devices/hostdev"):
        kind = hostdev.get("type", "")
        if kind not in REFUSED_HOSTDEVS:
            known = kind if kind in ("pci", "usb", "mdev") else "host_device"
            yield one_left_out(known, "", hostdev_address(hostdev))
    for interface in root.iterfind("./devices/interface[@type='hostdev']"):
        yield one_left_out("pci", "", hostdev_address(interface))


def _memory(root: ET.Element) -> Iterator[dict[str, str]]:
    for memory in root.iterfind("./devices/memory"):
        if path := memory.findtext("source/path"):
            yield one_left_out("memory", memory.get("model", ""), path)
    for shared in root.iterfind("./devices/shmem"):
        yield one_left_out("shared_memory", shared.get("name", ""), _attribute(shared, "server", "path"))


def _small_devices(root: ET.Element) -> Iterator[dict[str, str]]:
    for card in root.iterfind("./devices/smartcard"):
        if card.get("mode") in ("host", "host-certificates"):
            names = [element.text or "" for element in card.findall("certificate")]
            yield one_left_out("smartcard", " ".join(names), card.findtext("database", ""))
    for store in root.iterfind("./devices/pstore"):
        yield one_left_out("pstore", "", store.findtext("path", ""))


def _boot_files(root: ET.Element) -> Iterator[dict[str, str]]:
    for path in ("kernel", "initrd", "dtb", "shim", "acpi/table"):
        for element in root.iterfind(f"./os/{path}"):
            yield one_left_out("boot_file", path.replace("/", " "), element.text or "")
    for entry in root.iterfind("./sysinfo[@type='fwcfg']/entry"):
        if entry.get("file"):
            yield one_left_out("boot_file", entry.get("name", ""), str(entry.get("file")))


def _qemu_options(root: ET.Element) -> Iterator[dict[str, str]]:
    arguments = [argument.get("value", "") for argument in root.iterfind(f"./{_QEMU}commandline/{_QEMU}arg")]
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        if not argument.startswith("-"):
            continue
        option, value = argument.lstrip("-"), "" if following.startswith("-") else following
        if option in _DATA_OPTIONS or _leads_to_data(option, value):
            yield one_left_out("qemu_option", f"-{option}", _without_secrets(value))


def _without_secrets(value: str) -> str:
    """Return an option's value as everyone may read it, who gets the mails."""
    return _SECRET.sub(r"\1...", _PASSWORD.sub("", value))


def _leads_to_data(option: str, value: str) -> bool:
    passes_through = option == "device" and _PASSTHROUGH.match(value)
    return bool(passes_through or (option not in _CONNECTIONS and _NAMES_A_PATH.search(value)))


def _nvram(root: ET.Element) -> Iterator[dict[str, str]]:
    nvram, loader = root.find("./os/nvram"), root.find("./os/loader[@type='pflash']")
    source = nvram.find("source") if nvram is not None else None
    if source is not None and not (source.get("file") or source.get("dev")):
        yield one_left_out("nvram", "", _place(source), "Only files and block devices are saved.")
    if (store := root.find("./os/varstore")) is not None:
        yield one_left_out("nvram", "", store.get("path", ""), "A <varstore> isn't supported yet.")
    if loader is not None and nvram is None and loader.text and _is_writable(loader):
        yield one_left_out(
            "nvram", "", loader.text, "They are in the firmware's own file, which is writable."
        )


def _is_writable(loader: ET.Element) -> bool:
    return loader.get("readonly") != "yes" and loader.get("stateless") != "yes"


def _tpm(root: ET.Element) -> Iterator[dict[str, str]]:
    for backend in root.iterfind("./devices/tpm/backend"):
        source, kind = backend.find("source"), backend.get("type")
        place = _place(source) if source is not None else ""
        if kind == "emulator" and source is not None and source.get("type") != "dir":
            yield one_left_out("tpm", "", place, "Only the state in a folder is saved.")
        elif kind == "passthrough":
            yield one_left_out("tpm", "", _attribute(backend, "device", "path"), "It is the host's own.")
        elif kind != "emulator":
            yield one_left_out("tpm", "", place, "It is run by another program than libvirt.")
        if secret := _attribute(backend, "encryption", "secret"):
            yield one_left_out("tpm_key", "", secret, _NO_KEY)


_PARTS: tuple[Callable[[ET.Element], Iterator[dict[str, str]]], ...] = (
    _drives, _shares, _host_devices, _memory, _small_devices, _boot_files, _qemu_options, _nvram, _tpm,
)  # fmt: skip


def _attribute(element: ET.Element, tag: str, name: str) -> str:
    child = element.find(tag)
    return child.get(name, "") if child is not None else ""


def _place(source: ET.Element) -> str:
    """Return where the source of a disk or a folder is: a path, ``pool/volume``, ``protocol:host/name``."""
    value = source.get
    if value("protocol"):
        hosts = [host.get("name", "") or host.get("socket", "") for host in source.findall("host")]
        return f"{value('protocol')}:{','.join(hosts)}/{value('name', '')}"
    if value("volume"):
        return f"{value('pool', '')}/{value('volume')}"
    keys = ("file", "dev", "dir", "path", "socket", "name", "usage")
    return next((str(value(key)) for key in keys if value(key)), "") or _address_in(source)
