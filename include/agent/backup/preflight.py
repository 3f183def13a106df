"""Checks before a backup is begun: whatever prevents it is found before anything is touched."""

from __future__ import annotations

import os
from typing import Any

from include.agent.backup.scratch import needed_bytes, usable_bytes
from include.agent.disks.fingerprint import is_counted
from include.agent.domain import Domain
from include.agent.errors import NotPossibleError, UsageError
from include.agent.restart_changes import refusal
from include.agent.state_folder import VmFolder
from include.agent.virsh import Virsh

STATE_LEAST = 16 << 20  # bytes, for the journal, the definition, the NVRAM and the TPM's state
NEITHER = (
    "neither running nor off. Have it run (virsh resume, if it is paused), shut it down, or exclude it in "
    "the site file (vms.hosts, exclude)."
)
_METHODS = ("cold", "live", "copy", "offline")
_LIMITS = ("shutdown_timeout_s", "watchdog_s")


def request(given: dict[str, Any]) -> None:
    """Check the values of a request.

    Raises:
        UsageError: some are wrong; the message lists all of them.
    """
    wrong = [f"{key} must be a number of seconds" for key in _LIMITS if not _is_number(given[key])]
    if given["method"] not in _METHODS:
        wrong.append(f"method must be one of {', '.join(_METHODS)}")
    if given["managed_save"] not in ("refuse", "disks_only"):
        wrong.append("managed_save must be refuse or disks_only")
    if given["on_timeout"] not in ("leave", "destroy"):
        wrong.append("on_timeout must be leave or destroy")
    if given["restart_changes"] not in ("refuse", "allow"):
        wrong.append("restart_changes must be refuse or allow")
    if not isinstance(given["health_check"], dict) or not _is_number(given["health_check"].get("timeout_s")):
        wrong.append("health_check must be an object with its timeout_s")
    if wrong:
        raise UsageError(f"The request is wrong: {'; '.join(wrong)}.")


def vm(virsh: Virsh, surveyed: dict[str, Any], was: str, method: str, given: dict[str, Any]) -> list[str]:
    """Check that a VM can be backed up by a method.

    Args:
        virsh: the host's libvirt.
        surveyed: the VM, as :func:`survey.vm_of` returns it.
        was: its state: ``running``, ``off``, or something else.
        method: ``cold``, ``live``, ``copy`` or ``offline``.
        given: the request, checked.

    Returns:
        warnings: what its restart changes, where the request allows that.

    Raises:
        NotPossibleError: it can't.
    """
    name = surveyed["name"]
    if surveyed["problems"]:
        raise NotPossibleError(f"{name} can't be backed up: {' '.join(surveyed['problems'])}")
    if was not in ("running", "off"):
        state = virsh.state(surveyed["uuid"])
        raise NotPossibleError(f"{name} is {state}, {NEITHER}")
    if was == "running" and method == "offline":
        raise NotPossibleError(f"{name} is running; the method offline is for VMs that are off.")
    if method in ("cold", "copy") and (
        setting := Domain(virsh.xml(surveyed["uuid"])).restarts_after_shutdown
    ):
        raise NotPossibleError(
            f"{name} doesn't stay off after a shutdown ({setting}). Set its method to live in the site file."
        )
    if method in ("offline", "copy"):
        _require_counted(surveyed)
    changes = surveyed["restart_changes"] if method in ("cold", "copy") else []
    if changes and given["restart_changes"] == "refuse":
        raise NotPossibleError(f"{name} wasn't stopped. {refusal(changes)}")
    return [f"Its restart changed it: {change}." for change in changes]


def backup_begin(virsh: Virsh, name: str) -> None:
    """Check that libvirt has backup-begin, which a live backup needs where the disks can't be cloned.

    Raises:
        NotPossibleError: it can't.
    """
    if not virsh.supports_backup_begin():
        raise NotPossibleError(
            f"{name} can't be backed up while it runs: its disks can't be cloned, and this host's libvirt "
            "lacks backup-begin. Set its method to cold in the site file."
        )


def _require_counted(surveyed: dict[str, Any]) -> None:
    """Check that a start of the VM, or any other change, would be seen while its disks are read."""
    for path in (path for disk in surveyed["disks"] for path in disk["chain"]):
        if not path.startswith("/"):
            raise NotPossibleError(
                f"{surveyed['name']} can't be backed up while it's off: a backing file, {path}, isn't a file "
                "of its host, so a change while it is read would go unnoticed. Start the VM and use the "
                "method cold or live, or copy that file to the host."
            )
        if not is_counted(path):
            raise NotPossibleError(
                f"{surveyed['name']} can't be backed up: its host doesn't count the writes to {path}, so "
                "a change while it is read would go unnoticed. Turn the device's iostats on (echo 1 > "
                "/sys/block/DEVICE/queue/iostats)."
            )


def saved_memory(surveyed: dict[str, Any], managed_save: str) -> list[str]:
    """Check that a VM's saved memory may be left out; return a warning if it will be.

    Raises:
        NotPossibleError: it may not.
    """
    if not surveyed["saved"]:
        return []
    if managed_save == "refuse":
        raise NotPossibleError(
            f"{surveyed['name']} can't be backed up: it is off with saved memory (virsh managedsave), "
            "without which its disks are only crash-consistent. Start it, drop that memory (virsh "
            f"managedsave-remove {surveyed['uuid']}), or set managed_save: disks_only in the site file."
        )
    return ["It was off with saved memory (virsh managedsave), which isn't in the image: crash-consistent."]


def space(
    folder: VmFolder, scratch: str | None, surveyed: dict[str, Any], method: str, *, cloned: bool
) -> None:
    """Check that there is enough space for what is written during the backup; beside clones, there is.

    Raises:
        NotPossibleError: there isn't, or the scratch folder can't be used.
    """
    name = surveyed["name"]
    if usable_bytes(str(folder.path)) < STATE_LEAST:
        raise NotPossibleError(
            f"{folder.path} is on a file system that is full. {name} wasn't touched. Free some space there."
        )
    path = scratch or str(folder.path)
    if not os.path.isdir(path):  # noqa: PTH112 - the text may be no path at all
        raise NotPossibleError(
            f"This host has no folder {path}. Create it, or name another scratch folder in the site file."
        )
    folder.new_work_folder(scratch)
    size, allocated = (sum(disk[key] for disk in surveyed["disks"]) for key in ("bytes", "allocated"))
    need = 0 if cloned else {"offline": 0, "copy": allocated}.get(method, needed_bytes(size))
    if (usable := usable_bytes(path)) < need:
        raise NotPossibleError(
            f"Not enough space for {name}'s scratch files: {path} has {usable / 1e9:.2f} GB free, and "
            f"{need / 1e9:.2f} GB are needed. The VM wasn't stopped. Free some space there, or name another "
            "scratch folder in the site file."
        )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
