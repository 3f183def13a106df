"""The destination of one disk of a restore: what is there, and how the new disk is made from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from include.agent.disks import qcow2_options
from include.agent.disks.image_info import disk_info
from include.agent.errors import LibvirtError
from include.agent.restore.request import RequestedDisk, RestoreRequest


class DiskPlace(NamedTuple):
    """A disk's destination.

    Args:
        disk: the disk to restore.
        place: its path, with links resolved.
        new: the path that is written until it's moved into place; the same for a block device.
        device: whether it's a block device.
        own: whether it's a disk of the VM by the host's own definition.
        overlay: whether ``new`` is an overlay on the old disk, committed to it in the end.
        base: the format of the old disk, with whose content ``new`` begins; empty if there is none.
        base_bytes: the old disk's size for a guest.
        files: the files of the old disk, its own first.
        snapshots: the old disk's internal snapshots.
        allocated_bytes: what the old disk takes on the host.
        resizable: whether a copy of the old file can be resized: one in QCOW2's first format can't if it has
            snapshots.
    """

    disk: RequestedDisk
    place: Path
    new: Path
    device: bool = False
    own: bool = False
    overlay: bool = False
    base: str = ""
    base_bytes: int = 0
    files: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    allocated_bytes: int = 0
    resizable: bool = True

    @property
    def new_format(self) -> str:
        """The format of ``new``."""
        return "qcow2" if self.overlay else self.disk.format

    @property
    def flat(self) -> bool:
        """Whether the old disk, if any, is a single file."""
        return len(self.files) <= 1

    @property
    def copied(self) -> bool:
        """Whether ``new`` begins as a copy of the old file, with all that QCOW2 keeps in it."""
        fits = self.resizable or self.base_bytes == self.disk.bytes
        return self.flat and self.base == self.disk.format and fits

    @property
    def anew(self) -> bool:
        """Whether ``new`` is an image of its own, that has nothing of the old file but the guest's data."""
        return not (self.device or self.overlay or self.copied)


def disk_place(restore: RestoreRequest, disk: RequestedDisk, own: dict[Path, str]) -> DiskPlace:
    """Return the destination of a disk.

    Args:
        restore: the request.
        disk: the disk.
        own: the VM's disks by the host's own definition, with their formats.
    """
    place = disk.path.resolve()
    device = place.is_block_device()
    plain = DiskPlace(disk, place, restore.new(place), device, own=place in own)
    if not (device or plain.own) or not os.path.lexists(place):
        return plain  # another's file isn't read by a format that comes from the vault
    form = own.get(place, "raw")
    kind = "block" if device else "file"
    try:
        found = disk_info({"format": form, "path": str(place), "kind": kind})
    except LibvirtError:  # it isn't a disk: the new one begins empty
        return plain
    based = plain._replace(
        base=form,
        base_bytes=found["bytes"],
        files=tuple(found["chain"]),
        snapshots=tuple(found["snapshots"]),
        allocated_bytes=found["allocated"],
        resizable=not (found["snapshots"] and found["qcow2"].get("compat") == "0.10"),
    )
    if device:
        return based._replace(new=place)
    if _is_overwritten(restore, based):
        return based._replace(overlay=True, new=restore.overlay(place))
    return based


def _is_overwritten(restore: RestoreRequest, target: DiskPlace) -> bool:
    """Return whether the old disk is of the same kind, isn't kept, and has no other name (hard link)."""
    same = target.copied and target.base_bytes == target.disk.bytes
    return restore.in_place and not restore.keep_old and same and target.place.stat().st_nlink == 1


def lost_with(target: DiskPlace, *, keep_old: bool) -> Iterator[str]:
    """Yield what a restored disk won't have of the old one, or of the backed up one, as sentences."""
    name, options = target.disk.name, target.disk.qcow2
    if target.anew:
        made = qcow2_options.possible(options, target.disk.bytes)
        if lost := qcow2_options.lost(options, made):
            without = qcow2_options.described(lost)
            yield f"{name} is made without {without}, which this host's qemu-img can't make."
    if target.anew and target.snapshots:
        where = "They stay in the old disk, which is kept." if keep_old else "They go with the old disk."
        yield f"{name} won't have these internal snapshots: {', '.join(target.snapshots)}. {where}"
    if target.anew and not target.flat:
        below = ", ".join(target.files[1:])
        yield f"{name} becomes a single file. What the old disk lay in besides its own file stays: {below}."
