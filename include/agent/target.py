"""Where a restore goes, and what stands in its way; looked at before anything is written."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from .domain import Domain
from .errors import BusyError, LibvirtError, NotPossibleError
from .folder import State
from .restoring import Disk, Restore
from .scratch import usable_bytes
from .standing import standing
from .survey import measured
from .virsh import Virsh

_FICLONE = 0x40049409  # ioctl_ficlone(2)
_OFF = "shut off"


class Target(NamedTuple):
    """A disk's place.

    Args:
        disk: what is to come there.
        place: its path, links followed.
        new: where it's written meanwhile; a block device itself.
        device: whether it's a block device.
        overlay: whether only what differs is written there, to be written over the old disk in the end.
        base: the format of what is there now, and can be begun with; empty: nothing.
        base_bytes: what a guest sees of that.
        flat: whether that is one file, without others below it.
        taken: what that takes on the host's disk, in bytes.
    """

    disk: Disk
    place: Path
    new: Path
    device: bool = False
    overlay: bool = False
    base: str = ""
    base_bytes: int = 0
    flat: bool = True
    taken: int = 0

    @property
    def new_format(self) -> str:
        """The format of what is written meanwhile."""
        return "qcow2" if self.overlay else self.disk.format


def look(state: State, virsh: Virsh, restore: Restore) -> list[Target]:
    """Give each disk's place, once nothing stands in the way.

    Raises:
        NotPossibleError: something does; says what, and what to do. Nothing was touched.
        BusyError: the machine is being imaged.
        LibvirtError: it can't be asked.
    """
    domains = [Domain(virsh.xml(uuid)) for uuid in sorted(virsh.uuids())]
    _look_at_machine(state, virsh, restore, domains)
    mine = {
        Path(disk["path"]): disk["format"]
        for one in domains
        if one.uuid == restore.uuid
        for disk in one.disks
    }
    others = {
        Path(disk["path"]).resolve(): one.name
        for one in domains
        for disk in one.disks
        if one.uuid != restore.uuid
    }
    targets = [_target(restore, disk, mine.get(disk.path, disk.format)) for disk in restore.disks]
    for target in targets:
        if owner := others.get(target.place):
            raise NotPossibleError(
                f"{target.disk.path} is a disk of the machine {owner}. Nothing was touched."
            )
        _look_at_place(restore, target)
    for path in restore.firmware.values():
        _look_at_folder(path.parent)
        if not restore.in_place and os.path.lexists(path):
            raise NotPossibleError(f"{path} is there already. Choose another name, or move it away.")
    _look_for_room(targets)
    return targets


def require_off(virsh: Virsh, restore: Restore) -> None:
    """See that a machine that is known here is off, and has nothing that belongs to its disks as they are.

    Raises:
        NotPossibleError: it isn't.
    """
    if restore.uuid not in virsh.uuids():
        return
    if (found := virsh.state(restore.uuid)) != _OFF:
        raise NotPossibleError(
            f"{restore.name} is {found}, and is restored in place only while it's off. Shut it down first, "
            "or restore it beside itself, under a new name."
        )
    if restore.uuid in virsh.uuids("--with-managed-save"):
        raise NotPossibleError(
            f"{restore.name} has a saved state, which fits its disks only as they are now. Start it and shut "
            f"it down, or drop that state (virsh managedsave-remove {restore.name})."
        )


def _look_at_machine(state: State, virsh: Virsh, restore: Restore, domains: list[Domain]) -> None:
    for domain in domains:
        same = domain.uuid == restore.uuid
        if domain.name == restore.name and not (same and restore.in_place):
            whose = "" if same else f", of the UUID {domain.uuid}"
            advice = "Rename it (virsh domrename)" if restore.in_place else "Choose another name"
            raise NotPossibleError(f"The host has a machine {restore.name} already{whose}. {advice}.")
        if same and restore.in_place and domain.name != restore.name:
            raise NotPossibleError(
                f"{restore.name} is called {domain.name} at this host. Rename it (virsh domrename "
                f"{domain.name} {restore.name}), or restore it beside itself."
            )
        if same and not restore.in_place:
            raise NotPossibleError(
                f"The host has a machine of the UUID {restore.uuid} already: {domain.name}."
            )
    folder = state.of(restore.uuid)
    if folder.restoring.open and folder.restoring.facts("begin").get("token") != restore.token:
        raise NotPossibleError(f"Another restore of it isn't finished. {standing(folder)}")
    if folder.journal.open:
        raise BusyError(f"{restore.name} is being imaged. Come again.")
    if restore.in_place:
        require_off(virsh, restore)


def _target(restore: Restore, disk: Disk, form: str) -> Target:
    place = disk.path.resolve()
    plain = Target(disk, place, restore.new(place))
    if not os.path.lexists(place):
        return plain
    device = stat.S_ISBLK(place.stat().st_mode)
    kind = "block" if device else "file"
    try:
        found: dict[str, Any] = measured({"format": form, "path": str(place), "kind": kind})
    except LibvirtError:  # what is there is no disk: the new one begins with nothing
        return plain._replace(device=device)
    known = plain._replace(
        device=device,
        base=form,
        base_bytes=found["bytes"],
        flat=len(found["chain"]) == 1,
        taken=found["allocated"],
    )
    if device:
        return known._replace(new=place)
    return known._replace(overlay=True, new=restore.overlay(place)) if _goes(restore, known) else known


def _goes(restore: Restore, target: Target) -> bool:
    """Tell whether a disk of the same kind is there, whose content nobody wants, nor by another name."""
    same = target.flat and (target.base, target.base_bytes) == (target.disk.format, target.disk.bytes)
    return restore.in_place and not restore.keep_old and same and target.place.stat().st_nlink == 1


def _look_at_place(restore: Restore, target: Target) -> None:
    path = target.disk.path
    _look_at_folder(target.place.parent)
    if target.device:
        if not restore.in_place or restore.keep_old:
            raise NotPossibleError(
                f"{path} is a block device: its old content can't be kept aside. Restore in place, and let "
                "go of the old disks (keep_old: false); or restore beside, into files in a folder."
            )
        if target.base_bytes < target.disk.bytes or target.disk.format != "raw":
            raise NotPossibleError(
                f"{path} is a block device of {target.base_bytes:,} bytes, and {target.disk.bytes:,} raw "
                "ones are to come there."
            )
    elif not os.path.lexists(target.place):
        return
    elif not restore.in_place:
        raise NotPossibleError(f"{path} is there already. Choose another folder or name, or move it away.")
    elif not target.place.is_file():
        raise NotPossibleError(f"{path} is no file. Move it away.")


def _look_at_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise NotPossibleError(f"The host has no folder {folder}. Make it, or name another one.")
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise NotPossibleError(f"{folder} is on a file system that is mounted read-only.")
    if not os.access(folder, os.W_OK):
        raise NotPossibleError(f"{folder} can't be written by the user of the connection.")


def _look_for_room(targets: list[Target]) -> None:
    need: dict[int, int] = {}
    folders: dict[int, Path] = {}
    for target in targets:
        folder = target.place.parent
        device = folder.stat().st_dev
        folders[device] = folder
        need[device] = need.get(device, 0) + _needed(target, folder)
    for device, folder in folders.items():
        if (usable := usable_bytes(str(folder))) < need[device]:
            raise NotPossibleError(
                f"{folder} has {usable / 1e9:.2f} GB free, and {need[device] / 1e9:.2f} GB are needed for "
                "the new disks beside the old ones. Nothing was touched. Make room, or restore into another "
                "folder."
            )


def _needed(target: Target, folder: Path) -> int:
    """Give what a new disk will take: what it begins with, or what it is to hold, if that is more."""
    if target.device:
        return 0
    begun = 0
    with suppress(FileNotFoundError):
        begun = target.new.stat().st_blocks * 512
    if target.overlay or (target.base and target.flat and shares_blocks(folder)):
        return 0  # only what differs will take room, and how much that is, nobody knows yet
    return max(0, max(target.taken, target.disk.data_bytes) - begun)


def shares_blocks(folder: Path) -> bool:
    """Tell whether copies in a folder take no room until they differ (XFS, Btrfs)."""
    with suppress(OSError), TemporaryFile(dir=folder) as one, TemporaryFile(dir=folder) as other:
        one.write(bytes(4096))
        one.flush()
        fcntl.ioctl(other.fileno(), _FICLONE, one.fileno())
        return True
    return False


def programs_there() -> None:
    """See that the host has what writes disks.

    Raises:
        NotPossibleError: it hasn't.
    """
    for program in ("qemu-nbd", "qemu-img"):
        try:
            subprocess.run([program, "--version"], capture_output=True, check=False)
        except FileNotFoundError as error:
            raise NotPossibleError(f"The host has no {program} (Debian: qemu-utils).") from error
