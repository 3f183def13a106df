"""The VMs that a host has already: their definitions, and the files that they use."""

from __future__ import annotations

import stat
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from include.agent.disks.image_info import files_below
from include.agent.errors import LibvirtError
from include.agent.survey import AT_ONCE
from include.agent.virsh import Virsh

NO_DATA = ("cdrom", "floppy")
_FIRMWARE = ("os/nvram", "os/loader", "os/kernel", "os/initrd", "os/dtb")
_DISK, _BELOW, _BOOT_FILE = "a disk", "a backing file", "a boot file"


class HostVm(NamedTuple):
    """A VM of the host: its UUID, its name, its persistent definition, and all of its definitions."""

    uuid: str
    name: str
    definition: ET.Element
    definitions: tuple[ET.Element, ...]


class HostVms:
    """All VMs of the host, running or not.

    Args:
        virsh: the host's libvirt.

    Raises:
        LibvirtError: libvirt gives no answer.
    """

    def __init__(self, virsh: Virsh) -> None:
        self._virsh = virsh
        self._unread: set[str] = set()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            found = list(threads.map(self._vm, sorted(virsh.uuids())))
        self.vms = {vm.uuid: vm for vm in found if vm}

    def definition(self, uuid: str) -> ET.Element | None:
        """Return the host's own definition of a VM; None if it has none."""
        return self.vms[uuid].definition if uuid in self.vms else None

    def disks(self, uuid: str) -> dict[Path, str]:
        """Return the format of each disk of a VM as the host's own definition has it, by the file itself."""
        own = self.definition(uuid)
        found = own.findall("./devices/disk") if own is not None else []
        holding_data = [disk for disk in found if disk.get("device", "disk") not in NO_DATA]
        return {Path(path).resolve(): form for disk in holding_data for path, form in _top(disk)}

    def users(self, but: str) -> dict[Any, dict[str, set[str]]]:
        """Return which VMs use which file, and for what.

        Args:
            but: the UUID of a VM that doesn't count.

        Returns:
            By each of a file's :func:`identities`: the names of the VMs, by what the file is for them, such
            as "a disk".
        """
        others = [vm for vm in self.vms.values() if vm.uuid != but]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            uses = list(threads.map(lambda vm: list(self._uses(vm)), others))
        found: dict[Any, dict[str, set[str]]] = {}
        for vm, used in zip(others, uses):
            for path, what in used:
                for identity in identities(Path(path)):
                    found.setdefault(identity, {}).setdefault(what, set()).add(vm.name)
        return found

    def warnings(self) -> list[str]:
        """Return a warning if :meth:`users` couldn't find out all."""
        if not self._unread:
            return []
        images = ", ".join(sorted(self._unread))
        return [f"Whether other VMs need these disks isn't fully known: {images} can't be read."]

    def _vm(self, uuid: str) -> HostVm | None:
        try:
            texts = self._virsh.xml(uuid), self._virsh.xml(uuid, inactive=False)
        except LibvirtError:
            if uuid in self._virsh.uuids():
                raise
            return None  # it was undefined just now
        parsed = tuple(ET.fromstring(text) for text in texts)  # noqa: S314 - libvirt's own output
        return HostVm(uuid, parsed[0].findtext("name", ""), parsed[0], parsed)

    def _uses(self, vm: HostVm) -> Iterator[tuple[str, str]]:
        tops: dict[tuple[str, str], None] = {}
        for root in vm.definitions:
            yield from ((path, _BOOT_FILE) for path in _boot_files(root))
            for disk in root.iterfind("./devices/disk"):
                own = list(_top(disk)) or list(self._volume(disk))
                tops.update(dict.fromkeys(own))
                named = {path for source in disk.iter("source") for path in _paths(source)}
                yield from ((path, _BELOW) for path in named - {path for path, _ in own})
        yield from ((path, _DISK) for path, _ in tops)
        yield from ((path, _BELOW) for top, form in tops for path in self._below(top, form))

    def _below(self, image: str, form: str) -> Iterator[str]:
        try:
            yield from files_below(image, form)
        except LibvirtError:
            self._unread.add(image)

    def _volume(self, disk: ET.Element) -> Iterator[tuple[str, str]]:
        """Yield the path of a disk that is a volume of a storage pool."""
        source = disk.find("source")
        pool, volume = (source.get(key) if source is not None else None for key in ("pool", "volume"))
        if pool and volume:
            with suppress(LibvirtError):  # the pool is off
                yield self._virsh.run("vol-path", f"--pool={pool}", f"--vol={volume}"), _format(disk)


def identities(path: Path) -> set[Any]:
    """Return what a path has in common with other paths to the same file, by links or mounts.

    A file is its device and inode, a block device is its number; what doesn't exist yet is its folder, as a
    device and inode, and its name there.
    """
    resolved = path.resolve()
    found: set[Any] = {str(resolved)}
    with suppress(OSError):
        folder = resolved.parent.stat()
        found.add((folder.st_dev, folder.st_ino, resolved.name))
    with suppress(OSError):
        status = resolved.stat()
        is_block = stat.S_ISBLK(status.st_mode)
        found.add(("device", status.st_rdev) if is_block else (status.st_dev, status.st_ino))
    return found


def _boot_files(root: ET.Element) -> Iterator[str]:
    yield from filter(None, (root.findtext(path) for path in _FIRMWARE))
    for source in root.iterfind("./os/nvram/source"):
        yield from _paths(source)


def _top(disk: ET.Element) -> Iterator[tuple[str, str]]:
    """Yield the path of a disk's own file or block device, if it has one, with its format."""
    for source in disk.findall("source"):
        yield from ((path, _format(disk)) for path in _paths(source))


def _format(disk: ET.Element) -> str:
    driver = disk.find("driver")
    return driver.get("type", "raw") if driver is not None else "raw"


def _paths(source: ET.Element) -> list[str]:
    return [source.attrib[key] for key in ("file", "dev") if key in source.attrib]
