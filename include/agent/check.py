"""What stands in the way of a freeze, looked for before anything is touched."""

from __future__ import annotations

import os
from typing import Any

from .domain import Domain
from .errors import NotPossibleError, UsageError
from .folder import MachineFolder
from .scratch import needed_bytes, usable_bytes
from .virsh import Virsh

STATE_LEAST = 16 << 20  # of room for the journal, the definition, the NVRAM and the TPM's state
_METHODS = ("cold", "live", "copy", "offline")
_LIMITS = ("shutdown_timeout_s", "lease_s")


def request(asked: dict[str, Any]) -> None:
    """See that a request is in order.

    Raises:
        UsageError: it isn't; says all that is wrong.
    """
    wrong = [f"{key} must be a number of seconds" for key in _LIMITS if not _is_number(asked[key])]
    if asked["method"] not in _METHODS:
        wrong.append(f"method must be one of {', '.join(_METHODS)}")
    if asked["on_timeout"] not in ("leave", "destroy"):
        wrong.append("on_timeout must be leave or destroy")
    if not isinstance(asked["proof"], dict) or not _is_number(asked["proof"].get("timeout_s")):
        wrong.append("proof must be an object with its timeout_s")
    if wrong:
        raise UsageError(f"The request isn't in order: {'; '.join(wrong)}.")


def machine(virsh: Virsh, found: dict[str, Any], was: str, method: str) -> None:
    """See that a machine can be frozen in a way.

    Args:
        virsh: the host's libvirt.
        found: what :func:`survey.machine_of` found.
        was: what it does: ``running``, ``off``, or something else.
        method: the way.

    Raises:
        NotPossibleError: it can't.
    """
    name = found["name"]
    if found["problems"]:
        raise NotPossibleError(f"{name} can't be backed up: {' '.join(found['problems'])}")
    if was not in ("running", "off"):
        raise NotPossibleError(f"{name} is {virsh.state(found['uuid'])}, neither running nor off.")
    if was == "running" and method == "offline":
        raise NotPossibleError(f"{name} runs, and can't be imaged as one that is off.")
    if method == "live" and not virsh.images_running_machines():
        raise NotPossibleError(f"This host's libvirt can't image {name} while it runs (backup-begin).")
    if method in ("cold", "copy") and (goes_on := Domain(virsh.xml(found["uuid"])).goes_on_after_shutdown):
        raise NotPossibleError(
            f"{name} doesn't stay off after a shutdown ({goes_on}). Give it the method live in the site file."
        )


def room(folder: MachineFolder, scratch: str | None, found: dict[str, Any], method: str) -> None:
    """See that there is room for what is written while a machine is imaged.

    Raises:
        NotPossibleError: there isn't.
    """
    if usable_bytes(str(folder.path)) < STATE_LEAST:
        raise NotPossibleError(
            f"{found['name']} wasn't touched: {folder.path} is on a file system that is full. Make room."
        )
    where = scratch or str(folder.path)
    if not os.path.isdir(where):  # noqa: PTH112 - it may be no path at all
        raise NotPossibleError(
            f"This host has no folder {where}. Make it, or name another scratch folder in the site file."
        )
    folder.new_room(scratch)
    seen, taken = (sum(disk[key] for disk in found["disks"]) for key in ("bytes", "allocated"))
    need = {"offline": 0, "copy": taken}.get(method, needed_bytes(seen))
    if (usable := usable_bytes(where)) < need:
        raise NotPossibleError(
            f"{found['name']} wasn't stopped: {where} has {usable / 1e9:.2f} GB free for what is written "
            f"while it's imaged, and {need / 1e9:.2f} GB are needed. Make room there, or name another "
            "scratch folder."
        )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
