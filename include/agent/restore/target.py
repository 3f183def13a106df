"""The destination of a restore, checked before anything is written."""

from __future__ import annotations

import fcntl
import os
import subprocess
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from include.agent.backup.scratch import usable_bytes
from include.agent.domain import Domain
from include.agent.errors import BusyError, NotPossibleError
from include.agent.restore.definition import SafeDefinition, known_programs, safe_definition
from include.agent.restore.disk_place import DiskPlace, disk_place, lost_with
from include.agent.restore.folders import Folders
from include.agent.restore.host_vms import HostVms
from include.agent.restore.places import changed_below, check_apart, check_unclaimed, check_unused
from include.agent.restore.request import RestoreRequest
from include.agent.restore.status import describe_unfinished
from include.agent.state_folder import StateFolder
from include.agent.virsh import Virsh

_FICLONE = 0x40049409  # ioctl_ficlone(2)
_OFF = "shut off"


class CheckedRestore(NamedTuple):
    """A restore that can be done: each disk's destination, and the definition."""

    places: list[DiskPlace]
    definition: SafeDefinition


def checked_restore(state: StateFolder, virsh: Virsh, restore: RestoreRequest) -> CheckedRestore:
    """Check that a restore can be done.

    Raises:
        NotPossibleError: it can't be done; the message has the reason, and what to do. Nothing was changed.
        BusyError: the VM is being backed up.
        LibvirtError: libvirt can't be asked.
    """
    vms = HostVms(virsh)
    _check_vm(state, virsh, restore, vms)
    folders = Folders(virsh, restore, vms)
    own = _trusted(restore, vms)
    definition = safe_definition(restore, own, known_programs(virsh, vms), folders)
    places = [disk_place(restore, disk, vms.disks(restore.uuid)) for disk in restore.disks]
    used = {**{place.disk.name: place.disk.path for place in places}, **definition.opened}
    check_apart(used, restore)
    check_unused(used, vms, restore.uuid)
    for place in places:
        _check_place(restore, place, folders)
    for path in definition.firmware.values():
        _check_folder(path.parent)
        if os.path.lexists(path):
            _check_old_firmware(restore, path, own)
    _check_space(places)
    definition.warnings.extend([*vms.warnings(), *changed_below(used, vms, restore.uuid)])
    for place in places:
        definition.warnings.extend(lost_with(place, keep_old=restore.keep_old))
    return CheckedRestore(places, definition)


def _trusted(restore: RestoreRequest, vms: HostVms) -> ET.Element | None:
    """Return the host's own definition of the VM; for a new VM beside it, only its kernel and firmware."""
    own = vms.definition(restore.original)
    if own is None or restore.in_place:
        return own
    shared = ET.Element("domain")
    shared.extend(own.findall("os"))
    return shared


def require_off(virsh: Virsh, restore: RestoreRequest) -> None:
    """Check that a VM, if the host has it, is off and has no saved state.

    Raises:
        NotPossibleError: it runs, or has a saved state.
    """
    if restore.uuid not in virsh.uuids():
        return
    if (found := virsh.state(restore.uuid)) != _OFF:
        raise NotPossibleError(
            f"{restore.name} is {found}, and can be restored in place only while it's off. Shut it down "
            "first, or restore it under a new name."
        )
    if restore.uuid in virsh.uuids("--with-managed-save"):
        raise NotPossibleError(
            f"{restore.name} has a saved state, which fits only its current disks. Start it and shut it "
            f"down, or drop that state (virsh managedsave-remove {restore.name})."
        )


def _check_vm(state: StateFolder, virsh: Virsh, restore: RestoreRequest, vms: HostVms) -> None:
    for domain in vms.vms.values():
        same = domain.uuid == restore.uuid
        if domain.name == restore.name and not (same and restore.in_place):
            whose = "" if same else f", with the UUID {domain.uuid}"
            advice = "Rename it (virsh domrename)" if restore.in_place else "Choose another name"
            raise NotPossibleError(f"The host already has a VM {restore.name}{whose}. {advice}.")
        if same and restore.in_place and domain.name != restore.name:
            raise NotPossibleError(
                f"{restore.name} is called {domain.name} on this host. Rename it (virsh domrename "
                f"{domain.name} {restore.name}), or restore it under a new name."
            )
        if same and not restore.in_place:
            raise NotPossibleError(f"The host already has a VM with the UUID {restore.uuid}: {domain.name}.")
    folder = state.of(restore.uuid)
    if folder.restoring.open and folder.restoring.entry("begin").get("token") != restore.token:
        raise NotPossibleError(
            f"Another restore of {restore.name} isn't finished. {describe_unfinished(folder)}"
        )
    if folder.journal.open:
        raise BusyError(f"{restore.name} is being backed up. Try again later.")
    if restore.in_place:
        require_off(virsh, restore)


def _check_place(restore: RestoreRequest, target: DiskPlace, folders: Folders) -> None:
    path = target.disk.path
    if not folders.allow(path):
        raise NotPossibleError(
            f"{path} isn't where restores may write on this host: in one of its storage pools, or beside a "
            "disk that the VM has there. Nothing was changed. Name a folder for the disks, or add it to the "
            "host's disk_folders in the site file."
        )
    _check_folder(target.place.parent)
    if target.device:
        if not restore.in_place or restore.keep_old:
            raise NotPossibleError(
                f"{path} is a block device, whose old content can't be kept. Restore in place without "
                "keeping the old disks (keep_old: false), or restore into files under a new name."
            )
        if target.base_bytes < target.disk.bytes or target.disk.format != "raw":
            raise NotPossibleError(
                f"{path} is a block device of {target.base_bytes:,} bytes, which can't hold a "
                f"{target.disk.format} disk of {target.disk.bytes:,} bytes."
            )
        check_unclaimed(target.place)
    elif not os.path.lexists(target.place):
        return
    elif not restore.in_place:
        raise NotPossibleError(f"{path} exists already. Choose another folder or name, or move it away.")
    elif not target.place.is_file():
        raise NotPossibleError(f"{path} isn't a regular file. Move it away.")
    elif not (target.own or restore.keep_old):
        raise _not_its_own(restore, path)


def _check_old_firmware(restore: RestoreRequest, path: Path, own: ET.Element | None) -> None:
    if not restore.in_place:
        raise NotPossibleError(f"{path} exists already. Choose another name, or move it away.")
    domain = Domain(ET.tostring(own, encoding="unicode")) if own is not None else None
    if not (restore.keep_old or (domain and str(path) in (domain.nvram, domain.tpm))):
        raise _not_its_own(restore, path)


def _not_its_own(restore: RestoreRequest, path: Path) -> NotPossibleError:
    return NotPossibleError(
        f"{path} exists already, and isn't {restore.name}'s as this host has defined it. Restore with "
        "keep_old, or move it away."
    )


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise NotPossibleError(f"The host has no folder {folder}. Create it, or choose another one.")
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise NotPossibleError(f"{folder} is on a file system that is mounted read-only.")
    if not os.access(folder, os.W_OK):
        raise NotPossibleError(f"{folder} isn't writable by the user of the SSH connection.")


def _check_space(targets: list[DiskPlace]) -> None:
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
                f"Not enough space in {folder}: the new disks beside the old ones need "
                f"{need[device] / 1e9:.2f} GB, and {usable / 1e9:.2f} GB are free. Nothing was changed. Free "
                "some space, or restore into another folder."
            )


def _needed(target: DiskPlace, folder: Path) -> int:
    """Return how many bytes a new disk will take: the old or the new content, whichever is more."""
    if target.device:
        return 0
    begun = 0
    with suppress(FileNotFoundError):
        begun = target.new.stat().st_blocks * 512
    if target.overlay or (target.copied and shares_blocks(folder)):
        return 0  # only what differs takes space, and how much that is isn't known yet
    return max(0, max(target.allocated_bytes, target.disk.data_bytes) - begun)


def shares_blocks(folder: Path) -> bool:
    """Return whether copies in a folder take no space until they differ (reflinks: XFS, Btrfs)."""
    with suppress(OSError), TemporaryFile(dir=folder) as source, TemporaryFile(dir=folder) as copy:
        source.write(bytes(4096))
        source.flush()
        fcntl.ioctl(copy.fileno(), _FICLONE, source.fileno())
        return True
    return False


def require_programs() -> None:
    """Check that the host has the programs that write disks.

    Raises:
        NotPossibleError: one is missing.
    """
    for program in ("qemu-nbd", "qemu-img"):
        try:
            subprocess.run([program, "--version"], capture_output=True, check=False)
        except FileNotFoundError as error:
            raise NotPossibleError(f"The host has no {program}. Install it (Debian: qemu-utils).") from error
