"""What a domain's XML says of its disks, and of what else must be kept (libvirt's "Domain XML format")."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from typing import Any

_READABLE = ("raw", "qcow2")
_PATHS = {"file": "file", "block": "dev"}  # the attribute of <source> that holds a path
_NO_DATA = {"cdrom": "a CD-ROM drive", "floppy": "a floppy drive"}
_AGENT_CHANNEL = "org.qemu.guest_agent.0"
# What of a disk's definition makes it something else than the file or device that it names.
_UNFIT = {
    "transient": "is transient: what the guest wrote to it is gone once it stops",
    "shareable": "is shared with other machines, whose writes nobody can hold still",
    ".//encryption": "is encrypted by QEMU, and its key is libvirt's",
    "source/slices": "is a slice of what it is stored in",
}


class Domain:
    """One domain's definition.

    Args:
        definition: its persistent XML, or the one in use if it has no other.
        in_use: the XML of the running domain; None when it's off.
    """

    def __init__(self, definition: str, in_use: str | None = None) -> None:
        self._root = ET.fromstring(definition)  # noqa: S314 - libvirt's own answer
        self._live = ET.fromstring(in_use) if in_use else None  # noqa: S314
        self.name = self._root.findtext("name", "")
        self.uuid = self._root.findtext("uuid", "")
        self.problems: list[str] = []
        self.disks: list[dict[str, Any]] = []
        self.left_out: list[dict[str, str]] = []
        for disk in self._root.findall("./devices/disk"):
            self._sort(disk)
        self._look_for_other_storage()
        self._compare_with_what_runs()

    @property
    def nvram(self) -> str | None:
        """The file of its UEFI variables."""
        found = self._root.find("./os/nvram")
        if found is None:
            return None
        source = found.find("source")
        if source is not None:
            return source.get("file") or source.get("dev")
        return found.text or None

    @property
    def tpm(self) -> str | None:
        """The folder of its emulated TPM's state."""
        backend = self._root.find("./devices/tpm/backend[@type='emulator']")
        if backend is None:
            return None
        source = backend.find("source[@type='dir']")
        if source is not None:
            return source.get("path")
        return os.path.join(_swtpm_folder(), self.uuid)  # noqa: PTH118 - where libvirt keeps them

    @property
    def goes_on_after_shutdown(self) -> str | None:
        """What keeps it from staying off after a shutdown, such as ``on_poweroff=restart``."""
        does = self._root.findtext("on_poweroff", "destroy")
        return None if does == "destroy" else f"on_poweroff={does}"

    @property
    def guest_agent(self) -> bool:
        """Whether its guest agent is connected."""
        channels = self._live.findall("./devices/channel/target") if self._live is not None else []
        return any(
            target.get("name") == _AGENT_CHANNEL and target.get("state") == "connected" for target in channels
        )

    def _sort(self, disk: ET.Element) -> None:
        name, device = _name(disk), disk.get("device", "disk")
        if device in _NO_DATA:
            self.left_out.append({"name": name, "reason": f"It is {_NO_DATA[device]}."})
        elif device == "lun":
            self.problems.append(f"{name} is passed through to the guest, past libvirt (device='lun').")
        elif disk.get("type") not in _PATHS:
            self.problems.append(
                f"{name} is stored as '{disk.get('type')}'; only files and block devices can be read."
            )
        else:
            self._keep(name, disk)

    def _keep(self, name: str, disk: ET.Element) -> None:
        kind = str(disk.get("type"))
        driver, source = disk.find("driver"), disk.find("source")
        form = driver.get("type", "raw") if driver is not None else "raw"
        path = source.get(_PATHS[kind]) if source is not None else None
        if form not in _READABLE:
            self.problems.append(f"{name} has the format {form}; only {' and '.join(_READABLE)} can be read.")
        elif not path:
            self.problems.append(f"{name} has no {kind} in its definition.")
        elif unfit := [told for where, told in _UNFIT.items() if disk.find(where) is not None]:
            self.problems.append(f"{name} {', and '.join(unfit)}.")
        else:
            self.disks.append({"name": name, "kind": kind, "format": form, "path": path})

    def _look_for_other_storage(self) -> None:
        for kind in ("scsi", "scsi_host"):
            if self._root.find(f"./devices/hostdev[@type='{kind}']") is not None:
                self.problems.append(
                    "A SCSI device of the host is passed through to the guest; it can't be read."
                )
        for share in self._root.findall("./devices/filesystem"):
            self.left_out.append({"name": _share(share), "reason": "It is a folder of the host's."})
        if not self.disks and not self.problems:
            self.problems.append("It has no disk that holds data.")

    def _compare_with_what_runs(self) -> None:
        """See that a stop and a start bring back what runs now."""
        if self._live is None:
            return
        defined, running = (
            {
                _name(disk): _place(disk)
                for disk in root.findall("./devices/disk")
                if disk.get("device", "disk") not in _NO_DATA
            }
            for root in (self._root, self._live)
        )
        for name in sorted(defined.keys() | running.keys()):
            if defined.get(name) != running.get(name):
                self.problems.append(
                    f"{name} as it runs isn't {name} as it is defined: a stop would change it."
                )
        for disk in self._live.findall("./devices/disk"):
            if disk.find("mirror") is not None:
                self.problems.append(block_job(_name(disk)))


def account_of(in_use: str) -> tuple[int, int] | None:
    """Give the numbers of the user and the group as which a running domain's QEMU runs, if libvirt tells."""
    label = ET.fromstring(in_use).findtext("./seclabel[@model='dac']/label", "")  # noqa: S314
    found = re.fullmatch(r"\+(\d+):\+(\d+)", label)
    return (int(found[1]), int(found[2])) if found else None


def block_job(disk: str) -> str:
    """Say that somebody else copies, commits or mirrors a disk."""
    return f"A block job of {disk} is running (virsh blockjob tells which)."


def _name(disk: ET.Element) -> str:
    target = disk.find("target")
    return target.get("dev", "") if target is not None else ""


def _share(filesystem: ET.Element) -> str:
    target = filesystem.find("target")
    return target.get("dir", "") if target is not None else ""


def _place(disk: ET.Element) -> str | None:
    source = disk.find("source")
    if source is None:
        return None
    return next((source.get(key) for key in ("file", "dev", "name", "volume") if source.get(key)), None)


def _swtpm_folder() -> str:
    if os.geteuid() == 0:
        return "/var/lib/libvirt/swtpm"
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return f"{config}/libvirt/qemu/swtpm"
