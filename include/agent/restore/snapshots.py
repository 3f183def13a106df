"""The snapshots and checkpoints that libvirt lists of a VM, once its disks are restored in place.

Libvirt keeps only a list of them. The data of an internal snapshot is in the QCOW2 file of each disk, as is a
checkpoint's dirty bitmap; that of an external snapshot is the file that the disk had before. Whatever the
restored disks don't have is taken off the list: to revert to it would fail, or bring back other data. Its
description is kept, and a warning says where the data is.
"""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from include.agent.disks.image_info import kept_inside
from include.agent.domain import Domain
from include.agent.durable_files import write_whole
from include.agent.errors import LibvirtError
from include.agent.restore.request import RestoreRequest
from include.agent.restore.status import Move
from include.agent.state_folder import VmFolder
from include.agent.virsh import Virsh

_KINDS = ("snapshot", "checkpoint")


class ListedSnapshots:
    """What libvirt lists of a VM that was restored.

    Args:
        virsh: the host's libvirt.
        folder: the VM's folder, with the journal of its restore.
        restore: the request.
        moved: what was moved into place.
    """

    def __init__(self, virsh: Virsh, folder: VmFolder, restore: RestoreRequest, moved: list[Move]) -> None:
        self._virsh, self._folder, self._restore = virsh, folder, restore
        self._disks = {disk.name: (disk.path.resolve(), disk.format) for disk in restore.disks}
        self._olds = {move.place: move.old for move in moved}
        self._old_forms = _forms(folder.restoring.entry("keep definition").get("path"))

    def drop_unfit(self) -> None:
        """Take what the restored disks don't have off the lists; the journal's steps have the warnings.

        Raises:
            LibvirtError: libvirt gives no answer.
        """
        for kind in _KINDS:
            for name in self._names(kind):
                try:
                    self._drop_if_unfit(kind, name)
                except (LibvirtError, ET.ParseError) as error:
                    self._virsh.uuids()  # raises if libvirt is merely away
                    warning = (
                        f"Libvirt still lists the {kind} {name}, which the restored disks may lack: {error} "
                        f"Check it (qemu-img info); if they do, drop it: virsh {kind}-delete --metadata"
                    )
                    self._folder.restoring.write(f"keep {kind}", name=name, warning=warning)

    def _names(self, kind: str) -> list[str]:
        try:
            listed = self._virsh.run(f"{kind}-list", f"--domain={self._restore.uuid}", "--name")
        except LibvirtError:
            self._virsh.uuids()  # if libvirt answers this, it knows no checkpoints yet
            return []
        return [name for name in listed.split("\n") if name]  # other line ends may be in a name

    def _drop_if_unfit(self, kind: str, name: str) -> None:
        this = (f"--domain={self._restore.uuid}", f"--{kind}name={name}")
        description = self._virsh.run(f"{kind}-dumpxml", *this, "--security-info")
        root = ET.fromstring(description)  # noqa: S314 - libvirt's own output
        lost = dict(self._lost(root, kind, name))
        if not lost:
            return
        file = self._keep(description, kind, name)
        kept = sorted({str(old) for old in lost.values() if old and self._restore.keep_old})
        where = f" Its data is in {', '.join(kept)}." if kept else ""
        warning = (
            f"The {kind} {name} isn't in {', '.join(sorted(lost))} any more, so libvirt doesn't list it now."
            f"{where} Its description is {file}."
        )
        self._folder.restoring.write(f"drop {kind}", name=name, warning=warning)
        self._virsh.run(f"{kind}-delete", *this, "--metadata")

    def _keep(self, description: str, kind: str, name: str) -> Path:
        stamp = self._folder.restoring.entry("begin")["stamp"]
        short = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
        file = self._folder.restore / f"{kind}-{short}.before-restore-{stamp}.xml"
        write_whole(file, f"{description}\n".encode(errors="surrogateescape"), mode=0o600)
        return file

    def _lost(self, description: ET.Element, kind: str, name: str) -> Iterator[tuple[str, Path | None]]:
        """Yield each restored disk that lacks the data, and the old file that has it."""
        listed = {str(disk.get("name")): disk for disk in description.iterfind("./disks/disk")}
        for disk in listed or self._disks:  # an old libvirt listed no disks: then all have it
            how, bitmap = "internal", name
            if listed:
                how, bitmap = listed[disk].get(kind, how), listed[disk].get("bitmap", name)
            if how == "external":
                path = _path_before(description, disk)
                if path in self._olds:
                    yield disk, self._olds[path]
            elif how in ("internal", "bitmap") and disk in self._disks:
                place, form = self._disks[disk]
                if not _has(place, form, kind, bitmap):
                    yield disk, self._old_with(place, kind, bitmap)

    def _old_with(self, place: Path, kind: str, name: str) -> Path | None:
        old = self._olds.get(place)
        if old and self._old_forms.get(place) == "qcow2":  # a guest may write a header to a raw one
            with suppress(LibvirtError):
                return old if _has(old, "qcow2", kind, name) else None
        return None


def warnings(folder: VmFolder) -> list[str]:
    """Return the warnings about what was taken off the lists, by the open journal."""
    found = [entry for entry in folder.restoring.entries() if "warning" in entry]
    newest = {(entry["step"].partition(" ")[2], entry["name"]): entry["warning"] for entry in found}
    return list(newest.values())


def _has(image: Path, form: str, kind: str, name: str) -> bool:
    return name in kept_inside(str(image), form)[_KINDS.index(kind)]


def _forms(kept: str | None) -> dict[Path, str]:
    """Return the format of each old disk by the host's own definition, which was kept in a file."""
    if not kept:
        return {}
    disks = Domain(Path(kept).read_text(encoding="utf-8")).disks
    return {Path(disk["path"]).resolve(): disk["format"] for disk in disks}


def _path_before(description: ET.Element, disk: str) -> Path | None:
    """Return the file that a disk had when an external snapshot of it was made, which has its data."""
    for found in description.iterfind("./domain/devices/disk"):
        target, source = found.find("target"), found.find("source")
        if target is not None and source is not None and target.get("dev") == disk:
            path = source.get("file") or source.get("dev")
            return Path(path).resolve() if path else None
    return None
