"""Where a restore may write: what comes from the vault must not choose another place on the host."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from include.agent.errors import LibvirtError
from include.agent.restore.host_vms import HostVms
from include.agent.restore.request import RestoreRequest
from include.agent.virsh import Virsh

_POOLS = ("dir", "fs", "netfs", "logical")  # others' folders have all block devices of the host


class Folders:
    """The folders and files that a restore may write.

    Those are: folders that the request names, which come from the person who asked for the restore and from
    the site file; the folders of libvirt's storage pools and of its UEFI variables; the folders of the VM's
    own disks, as the host itself has defined it.

    Args:
        virsh: the host's libvirt.
        restore: the request.
        vms: the VMs of the host.
    """

    def __init__(self, virsh: Virsh, restore: RestoreRequest, vms: HostVms) -> None:
        self._own = set(vms.disks(restore.original))
        self._exact = {own.parent for own in self._own if not own.is_block_device()}
        self._trees = {folder.resolve() for folder in (*restore.folders, *_pools(virsh), nvram_folder())}

    def allow(self, path: Path) -> bool:
        """Return whether a file or block device may be written."""
        place = path.resolve()
        if place in self._own:
            return True
        if place.is_block_device():  # the nodes of LVM are links: /dev/vg/data to /dev/dm-3
            place = path.parent.resolve() / path.name
        return place.parent in self._exact or bool(self._trees & set(place.parents))


def nvram_folder() -> Path:
    """Return libvirt's folder of UEFI variables."""
    if os.geteuid() == 0:
        return Path("/var/lib/libvirt/qemu/nvram")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return Path(config) / "libvirt" / "qemu" / "nvram"


def _pools(virsh: Virsh) -> Iterator[Path]:
    names = ""
    with suppress(LibvirtError):  # it has no storage driver
        names = virsh.run("pool-list", "--all", "--name")
    for name in filter(None, names.splitlines()):
        with suppress(LibvirtError):  # it was undefined just now
            pool = ET.fromstring(virsh.run("pool-dumpxml", f"--pool={name.strip()}"))  # noqa: S314
            if pool.get("type") in _POOLS and (path := pool.findtext("target/path")):
                yield Path(path)
