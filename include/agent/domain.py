"""Parse a domain's XML (libvirt's "Domain XML format"): its disks, its firmware, what prevents a backup."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from typing import Any

from include.agent.copy_mark import generation_of_copy
from include.agent.left_out import DRIVES, REFUSED_HOSTDEVS, hostdev_address, left_out

_READABLE = ("raw", "qcow2")
_PATHS = {"file": "file", "block": "dev"}  # the attribute of <source> that holds a path
_AGENT_CHANNEL = "org.qemu.guest_agent.0"
# Elements and attributes that make a disk something other than the file or device it names.
_UNFIT = {
    "transient": "is transient: its content is lost when the VM stops",
    "shareable": "is shared with other VMs, which may write to it during the backup",
    ".//encryption": "is encrypted by QEMU with a key that only libvirt has",
    "source/slices": "is a slice of a larger file or device",
}


class Domain:
    """One domain's definition.

    Args:
        definition: its persistent XML, or the running one if it has no other.
        running: the XML of the running domain; None when it is off.
    """

    def __init__(self, definition: str, running: str | None = None) -> None:
        self._root = ET.fromstring(definition)  # noqa: S314 - libvirt's own output
        self._live = ET.fromstring(running) if running else None  # noqa: S314
        self.name = self._root.findtext("name", "")
        self.uuid = self._root.findtext("uuid", "")
        self.problems: list[str] = []
        self.disks: list[dict[str, Any]] = []
        self.backing: dict[str, list[str]] = {}
        roots = [root for root in (self._root, self._live) if root is not None]
        self.left_out = left_out(*roots)
        for disk in self._root.findall("./devices/disk"):
            self._classify(disk)
        self._find_other_storage()
        self._compare_with_running()

    @property
    def nvram(self) -> str | None:
        """The path of the file or device with its UEFI variables."""
        roots = [root for root in (self._root, self._live) if root is not None]  # the first may lack it
        found = [nvram for root in roots for nvram in root.findall("./os/nvram")]
        paths = [path for path in map(_nvram_path, found) if path]
        if paths or any(nvram.find("source") is not None for nvram in found):
            return paths[0] if paths else None  # a source without a path is on the network, or in a pool
        return self._chosen_nvram

    @property
    def _chosen_nvram(self) -> str | None:
        """The path that libvirt chooses if none is defined; before 9.2, only a running VM shows it."""
        system = self._root.find("./os[@firmware='efi']")
        if system is None or "/" in self.name:  # libvirt allows no such name; a definition from a vault may
            return None
        elsewhere = system.find("varstore") is not None or system.find("loader[@stateless='yes']") is not None
        return None if elsewhere else f"{_libvirts_folder('qemu/nvram')}/{self.name}_VARS.fd"

    @property
    def tpm(self) -> str | None:
        """The path of the folder with its emulated TPM's state."""
        backend = self._root.find("./devices/tpm/backend[@type='emulator']")
        if backend is None:
            return None
        source = backend.find("source")
        if source is not None:
            return source.get("path") if source.get("type") == "dir" else None
        return f"{_libvirts_folder('swtpm')}/{self.uuid}"

    @property
    def copy_of(self) -> str | None:
        """The generation that a restore made it of; None if it isn't such a copy."""
        return generation_of_copy(self._root)

    @property
    def restarts_after_shutdown(self) -> str | None:
        """The setting that restarts it after a shutdown, as ``on_poweroff=restart``; None if it stays off."""
        action = self._root.findtext("on_poweroff", "destroy")
        return None if action == "destroy" else f"on_poweroff={action}"

    @property
    def guest_agent(self) -> bool:
        """Whether its guest agent is connected."""
        channels = self._live.findall("./devices/channel/target") if self._live is not None else []
        return any(
            target.get("name") == _AGENT_CHANNEL and target.get("state") == "connected" for target in channels
        )

    def _classify(self, disk: ET.Element) -> None:
        name, device = _name(disk), disk.get("device", "disk")
        if device in DRIVES:
            return
        if device == "lun":
            self.problems.append(
                f"{name} is a LUN passed through to the guest (device='lun'); it can't be backed up."
            )
        elif disk.get("type") not in _PATHS:
            self.problems.append(
                f"{name} is stored as '{disk.get('type')}'; only files and block devices can be read."
            )
        else:
            self._add(name, disk)

    def _add(self, name: str, disk: ET.Element) -> None:
        kind = str(disk.get("type"))
        driver, source = disk.find("driver"), disk.find("source")
        image_format = driver.get("type", "raw") if driver is not None else "raw"
        path = source.get(_PATHS[kind]) if source is not None else None
        if image_format not in _READABLE:
            self.problems.append(
                f"{name} has the format {image_format}; only {' and '.join(_READABLE)} can be read."
            )
        elif not path:
            self.problems.append(f"{name} has no {kind} in its definition.")
        elif unfit := [
            reason for path_in_xml, reason in _UNFIT.items() if disk.find(path_in_xml) is not None
        ]:
            self.problems.append(f"{name} {', and '.join(unfit)}.")
        else:
            self.disks.append({"name": name, "kind": kind, "format": image_format, "path": path})
            self.backing[name] = _backing(disk)

    def _find_other_storage(self) -> None:
        for hostdev in self._root.findall("./devices/hostdev"):
            if hostdev.get("type") in REFUSED_HOSTDEVS:
                self.problems.append(
                    f"The SCSI device {hostdev_address(hostdev)} of the host is passed through to the guest; "
                    "it can't be backed up."
                )
        if not self.disks and not self.problems:
            self.problems.append("It has no disk that holds data.")

    def _compare_with_running(self) -> None:
        """Report each disk that a stop and a start would change."""
        if self._live is None:
            return
        defined, running = (
            {
                _name(disk): _location(disk)
                for disk in root.findall("./devices/disk")
                if disk.get("device", "disk") not in DRIVES
            }
            for root in (self._root, self._live)
        )
        for name in sorted(defined.keys() | running.keys()):
            if defined.get(name) != running.get(name):
                self.problems.append(
                    f"The running VM has another {name} than its definition; a restart would change it. "
                    "Attach or detach it in both (virsh attach-disk or detach-disk, with --config)."
                )
        for disk in self._live.findall("./devices/disk"):
            if disk.find("mirror") is not None:
                self.problems.append(block_job(_name(disk)))


def block_job(disk: str) -> str:
    """Return the problem that another block job (a copy, commit or mirror) is running on a disk."""
    return f"A block job of {disk} is running (see virsh blockjob)."


def _backing(disk: ET.Element) -> list[str]:
    """Return the files below a disk as far as the definition has them; libvirt takes these, not the header's.

    The last one is empty if an empty ``<backingStore/>`` ends them.
    """
    found, store = [], disk.find("backingStore")
    while store is not None:
        source = store.find("source")
        path = next(filter(None, map(source.get, ("file", "dev"))), None) if source is not None else ""
        if path is None:
            break  # it is elsewhere
        found.append(path)
        store = store.find("backingStore")
    return found


def _name(disk: ET.Element) -> str:
    target = disk.find("target")
    return target.get("dev", "") if target is not None else ""


def _location(disk: ET.Element) -> str | None:
    source = disk.find("source")
    if source is None:
        return None
    return next((source.get(key) for key in ("file", "dev", "name", "volume") if source.get(key)), None)


def _nvram_path(nvram: ET.Element) -> str | None:
    source = nvram.find("source")
    if source is not None:
        return source.get("file") or source.get("dev")
    return nvram.text or None


def _libvirts_folder(name: str) -> str:
    """Return where libvirt keeps ``swtpm`` or ``qemu/nvram``; a user's own libvirt has both in one place."""
    if os.geteuid() == 0:
        return f"/var/lib/libvirt/{name}"
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return f"{config}/libvirt/qemu/{name.rsplit('/', maxsplit=1)[-1]}"
