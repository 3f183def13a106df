"""Survey a host: its VMs, their disks and firmware, and why a VM can't be backed up."""

from __future__ import annotations

import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent import firmware
from include.agent.backup import references, timer_runs
from include.agent.backup.scratch import usable_bytes
from include.agent.boot_test import cleanup
from include.agent.disks import clones, exports
from include.agent.disks.image_info import disk_info
from include.agent.domain import Domain, block_job
from include.agent.errors import LibvirtError, UsageError
from include.agent.left_out import one_left_out
from include.agent.restart_changes import restart_changes
from include.agent.restore.status import describe_unfinished
from include.agent.state_folder import StateFolder
from include.agent.virsh import Virsh

AT_ONCE = 8
_STATES = {"running": "running", "idle": "running", "shut off": "off", "paused": "paused"}


def survey(virsh: Virsh, scratch: str | None, state_root: str) -> dict[str, Any]:
    """Return a survey of all VMs. Change nothing, except to clean up a boot test that died.

    Args:
        virsh: the host's libvirt.
        scratch: the folder for scratch files; None: the agent's state folder.
        state_root: the agent's state folder.

    Raises:
        LibvirtError: libvirt gives no answer.
        UsageError: the scratch folder doesn't exist.
    """
    state = StateFolder(state_root)
    cleanup.end_abandoned(state, virsh)
    uuids = virsh.uuids() - {cleanup.boot_test_domain(state)}
    autostarting, persistent = virsh.uuids("--autostart"), virsh.uuids("--persistent")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        surveyed = list(threads.map(lambda uuid: _vm_if_defined(state, virsh, uuid), sorted(uuids)))
    vms = [
        {
            **vm,
            "autostart": vm["uuid"] in autostarting,
            "persistent": vm["uuid"] in persistent,
            "open_backup": _open_backup(state, vm["uuid"]),
            "has_reference": bool(references.folders(state.of(vm["uuid"]))),
        }
        for vm in surveyed
        if vm
    ]
    return {
        "host": socket.gethostname(),
        "libvirt": virsh.version(),
        "backup": virsh.supports_backup_begin(),
        "scratch": _scratch(scratch, state_root),
        "reference_timer": timer_runs.survey(state)
        if any(map(references.are_left, state.folders()))
        else None,
        "vms": vms,
    }


def vm_of(state: StateFolder, virsh: Virsh, uuid: str) -> dict[str, Any]:
    """Return the survey of one VM. A backup job that the agent itself left open isn't reported as a problem.

    Raises:
        LibvirtError: there is no VM of that UUID, or libvirt gives no answer.
    """
    definition, state_name = virsh.xml(uuid), virsh.state(uuid)
    on = state_name != "shut off"
    running = virsh.xml(uuid, inactive=False) if on else None
    domain = Domain(definition, running)
    problems = list(domain.problems)
    if uuid not in virsh.uuids("--persistent"):
        problems.append("It is transient: a shutdown would delete it. Make it persistent (virsh define).")
    if on:
        problems += _foreign_jobs(state, virsh, domain)
    problems += [cut_off] if (cut_off := describe_unfinished(state.of(uuid))) else []
    unreadable, absent = firmware.examine(domain.nvram, domain.tpm)
    problems += unreadable
    disks, left_out = [], domain.left_out + absent
    for disk in domain.disks:
        try:
            info = disk_info(disk)
            problems += _other_backing(disk, domain.backing[disk["name"]], info.pop("backing"))
            if snapshots := info.pop("snapshots"):  # the guest doesn't see them, and nor does the image
                left_out.append(one_left_out("snapshots", ", ".join(snapshots), disk["path"]))
            disks.append({**disk, **info})
        except LibvirtError as error:
            problems.append(f"{disk['name']} ({disk['path']}) can't be read: {error}")
    return {
        "name": domain.name,
        "uuid": uuid,
        "state": _STATES.get(state_name, "other"),
        "saved": not on and uuid in virsh.uuids("--with-managed-save"),
        "disks": disks,
        "unclonable": clones.refusal(disks, may_make_room=references.are_left(state.of(uuid))),
        "left_out": left_out,
        "copy_of": domain.copy_of,
        "nvram": domain.nvram,
        "tpm": domain.tpm,
        "guest_agent": domain.guest_agent,
        "problems": list(dict.fromkeys(problems)),
        "restart_changes": restart_changes(definition, running) if running else [],
    }


def _vm_if_defined(state: StateFolder, virsh: Virsh, uuid: str) -> dict[str, Any] | None:
    try:
        return vm_of(state, virsh, uuid)
    except LibvirtError:
        if uuid in virsh.uuids():
            raise
        return None  # it was undefined just now


def _other_backing(disk: dict[str, Any], defined: list[str], header: list[str]) -> list[str]:
    """Return a problem if libvirt has QEMU use other files below a disk than its header names.

    Args:
        disk: the disk.
        defined: the files below it by the definition, as far as it has them.
        header: those by the headers, which programs other than libvirt use.
    """
    below = [file and os.path.realpath(file) for file in (*header, "")]
    if [file and os.path.realpath(file) for file in defined] == below[: len(defined)]:
        return []
    named = header[0] if header else "no file"
    problem = (
        f"{disk['name']} ({disk['path']}) names {named} as its backing file, and the VM's definition has "
        "another one (<backingStore>). Make them agree: qemu-img rebase -u, or virsh edit."
    )
    return [problem]


def _foreign_jobs(state: StateFolder, virsh: Virsh, domain: Domain) -> list[str]:
    """Return which jobs of other programs run on a VM."""
    if any(
        exports.is_backup_open(virsh, domain.uuid, folder) for folder in state.of(domain.uuid).work_folders()
    ):
        return []
    problems = []
    with suppress(LibvirtError):  # libvirt itself will refuse the backup then
        job = re.search(
            r"^Operation:\s*(.+?)\s*$", virsh.run("domjobinfo", f"--domain={domain.uuid}"), re.MULTILINE
        )
        problems += [f"A job of libvirt is running on it: {job[1]} (see virsh domjobinfo)."] if job else []
        for disk in domain.disks:
            info = ["--info", "--raw", f"--path={disk['name']}"]
            if virsh.run("blockjob", f"--domain={domain.uuid}", *info):
                problems.append(block_job(disk["name"]))
    return problems


def _open_backup(state: StateFolder, uuid: str) -> dict[str, Any] | None:
    entries = state.of(uuid).journal.entries()
    if not entries:
        return None
    began = state.of(uuid).journal.entry("begin")
    return {"run": began.get("run", ""), "since": entries[0]["at"], "step": entries[-1]["step"]}


def _scratch(scratch: str | None, state_root: str) -> dict[str, Any]:
    if scratch and not Path(scratch).is_dir():
        raise UsageError(
            f"This host has no folder {scratch}. Create it, or name another scratch folder in the site file."
        )
    folder = Path(scratch or state_root)
    while not folder.exists():  # the state folder is made by the first backup
        folder = folder.parent
    return {"path": str(folder), "free_bytes": usable_bytes(str(folder))}
