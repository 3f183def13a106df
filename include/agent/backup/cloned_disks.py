"""The snapshot that the host's file system makes: clones of all disks of a VM, off or suspended meanwhile.

The clones lie in folders beside the disks, which the journal names before they are made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.agent.backup import offline, references
from include.agent.backup.scratch import usable_bytes
from include.agent.backup.steps import Steps
from include.agent.disks import clones, exports
from include.agent.errors import BackupNotBegunError
from include.agent.state_folder import VmFolder

_FREED_S, _POLL_S = 10.0, 0.2


class ClonedDisks:
    """The clones of one VM's disks.

    Args:
        folder: the VM's folder.
        disks: its disks, as :func:`survey.vm_of` returns them; all of them can be cloned.
    """

    def __init__(self, folder: VmFolder, disks: list[dict[str, Any]]) -> None:
        self._folder = folder
        self._disks = disks
        self._folders = {beside: folder.new_clone_folder(beside) for beside in map(clones.folder_of, disks)}
        self._clones: list[dict[str, str]] = []

    def make_folders(self, steps: Steps) -> None:
        """Make the folders for the clones."""
        folders = list(self._folders.values())
        steps.begin("clone_folders", clone_folders=[str(folder) for folder in folders])
        for folder in folders:
            folder.mkdir(mode=0o700)

    def make(self, is_still_held: Callable[[], bool]) -> bool:
        """Clone the disks of a VM that is off or suspended; return whether it stayed so, its disks the same.

        If not, or if that fails, the clones are removed at once: the VM's next writes would need more space.

        Args:
            is_still_held: returns whether the VM is still off, or suspended.

        Raises:
            BackupNotBegunError: one can't be cloned, or its file system is nearly full.
        """
        usable = False
        try:
            usable = self._make(is_still_held)
        finally:
            if not usable:
                remove(self._folder)
        return usable

    def _make(self, is_still_held: Callable[[], bool]) -> bool:
        before = offline.fingerprints(self._disks)
        self._clones = [clones.clone(disk, self._folders[clones.folder_of(disk)]) for disk in self._disks]
        if are_crowded(self._folder):
            raise BackupNotBegunError(clones.NEARLY_FULL)
        return is_still_held() and offline.fingerprints(self._disks) == before

    def sync(self) -> list[dict[str, Any]]:
        """Flush the clones to the disk, and return their labels.

        Raises:
            BackupNotBegunError: the VM's watchdog has removed them, as they had nearly filled the disk.
        """
        try:
            clones.sync(list(self._folders.values()))
        except FileNotFoundError as error:
            raise BackupNotBegunError(clones.NEARLY_FULL) from error
        return references.labels(self._clones, self._disks)

    def export(self, work_folder: Path) -> list[dict[str, Any]]:
        """Export the clones, which are on the disk.

        Raises:
            BackupNotBegunError: one can't be opened.
        """
        return exports.start_nbd_servers(self._clones, work_folder)


def are_possible(folder: VmFolder, vm: dict[str, Any], was: str, method: str) -> bool:
    """Return whether all disks of a VM can be cloned: it is off, or the method stops or suspends it.

    Its reference is dropped if they lack its space.

    Args:
        folder: the VM's folder.
        vm: the VM, as :func:`survey.vm_of` returns it; its ``unclonable`` gets the reason if they can't.
        was: its state: ``running``, ``off``, or something else.
        method: the one that was requested.
    """
    holds = was == "off" or (was == "running" and method in ("cold", "live"))
    if not holds or vm["problems"]:
        return False
    _make_room(folder, vm)
    vm["unclonable"] = vm["unclonable"] or clones.failed_trial(vm["disks"])
    return not vm["unclonable"]


def _make_room(folder: VmFolder, vm: dict[str, Any]) -> None:
    if vm["unclonable"] or not references.are_left(folder):
        return  # without clones, the survey has looked for space
    try:
        if clones.lacks_space(vm["disks"]):
            references.drop(folder, "its file system had too little free space for the next backup")
            vm["unclonable"] = _lacks_space_still(vm["disks"])
    except OSError as error:
        vm["unclonable"] = str(error)


def _lacks_space_still(disks: list[dict[str, Any]]) -> str:
    """Return which file system lacks space a few seconds later, as XFS frees it in the background."""
    deadline = time.monotonic() + _FREED_S
    while (lacking := clones.lacks_space(disks)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return lacking


def are_crowded(folder: VmFolder) -> bool:
    """Return whether a file system with clones of a VM is nearly full, which would pause its guests."""
    return any(not usable_bytes(path) for path in folder.clone_folders() if os.path.isdir(path))  # noqa: PTH112


def drop(folder: VmFolder) -> None:
    """End the servers of a VM's clones, and remove them, also while libvirt gives no answer."""
    for work_folder in folder.work_folders():
        exports.end_processes(work_folder)  # while a server has a clone open, its space isn't free
    remove(folder)


def remove(folder: VmFolder) -> list[str]:
    """Remove the clones of a VM but its reference; return a sentence for each folder that is still there."""
    kept = references.folders(folder)
    return _remove(folder, [path for path in folder.clone_folders() if path not in kept])


def remove_left(folder: VmFolder, disks: list[dict[str, Any]]) -> list[str]:
    """Remove what earlier backups of a VM left beside its disks, as :func:`remove` does.

    A closed journal doesn't name it: their file system wasn't mounted when the backup was ended, or a power
    cut took the removal back.

    Args:
        folder: the VM's folder, whose journal names no clones yet.
        disks: the VM's disks, as :func:`survey.vm_of` returns them.
    """
    used = {clones.folder_of(disk) for disk in disks if disk["kind"] == "file"}
    references.remove_replaced(folder)
    kept = [Path(path) for path in references.folders(folder)]
    left = [path for beside in sorted(used) for path in folder.left_clone_folders(beside)]
    return _remove(
        folder, [str(path) for path in left if path not in {*used, *kept} and clones.are_all_in(path)]
    )


def _remove(folder: VmFolder, paths: list[str]) -> list[str]:
    return [
        f"{path} couldn't be removed. Remove it by hand."
        for path in paths
        if not folder.remove_clone_folder(path)
    ]
