"""The disks of a VM that is off: nothing keeps it from being started while they are read.

A start wins, and costs the image, also if it has ended again: what was read may be of two moments. So the
disks' fingerprints are taken before the first byte is read, and compared after the last one.
"""

from __future__ import annotations

from typing import Any

from include.agent.disks import exports
from include.agent.disks.fingerprint import fingerprint
from include.agent.errors import DisksChangedError
from include.agent.state_folder import VmFolder
from include.agent.virsh import Virsh

CHANGED = "disks-changed"
"""The step that the journal gets once a change was seen; its ``reason`` is what was seen."""


def fingerprints(disks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return ``disk``, ``chain`` and ``fingerprint`` of each disk.

    Args:
        disks: as :func:`survey.vm_of` returns them.
    """
    return [
        {"disk": disk["name"], "chain": disk["chain"], "fingerprint": fingerprint(disk["chain"])}
        for disk in disks
    ]


def require_unchanged(virsh: Virsh, folder: VmFolder, ready: dict[str, Any]) -> None:
    """Check that the disks of a VM are as they were when its backup was begun; only those of an off one.

    Args:
        virsh: the host's libvirt.
        folder: the VM's folder.
        ready: the step ``ready`` of its journal.

    Raises:
        DisksChangedError: the VM was started, or a disk written to, since then.
        LibvirtError: libvirt gives no answer.
    """
    taken = ready.get("fingerprints", [])
    if not taken:
        return
    if seen := folder.journal.entry(CHANGED):
        raise DisksChangedError(seen["reason"])
    name = folder.journal.entry("begin").get("vm", folder.uuid)
    require_off(virsh, folder.uuid, name)
    for disk in taken:
        if fingerprint(disk["chain"]) != disk["fingerprint"]:
            raise DisksChangedError(
                f"{disk['disk']} ({disk['chain'][0]}) of {name} was written to while it was read: the VM was "
                "started meanwhile, or another program changed it. Nothing that was read is published."
            )


def require_off(virsh: Virsh, uuid: str, name: str) -> None:
    """Check that a VM is still off.

    Raises:
        DisksChangedError: it was started.
        LibvirtError: libvirt gives no answer.
    """
    if virsh.is_active(uuid):
        raise DisksChangedError(
            f"{name} was started while its disks were read. It was left running, and nothing of it is "
            "published."
        )


def end_export(folder: VmFolder, changed: DisksChangedError) -> None:
    """End the export of disks that have changed, so that nobody reads on; the caller has locked the VM."""
    ready = folder.journal.entry("ready")
    if ready and CHANGED not in folder.journal.steps():
        folder.journal.write(CHANGED, reason=str(changed))
        exports.end_processes(ready["work_folder"])
