"""The beginning of a backup as a process of its own: it survives a lost connection and a killed worker.

The caller starts the job and waits for it. A later call for the same run finds the job, or its result.
"""

from __future__ import annotations

import secrets
import time
import traceback
from contextlib import suppress
from typing import Any

from include.agent import detach
from include.agent.backup import cloned_disks, freeze, preflight, watchdog
from include.agent.backup.begin import BeginBackup
from include.agent.backup.end import as_it_is, end_backup
from include.agent.backup.health_check import HealthCheck
from include.agent.boot_test import cleanup
from include.agent.disks import exports
from include.agent.durable_files import write_json
from include.agent.errors import (
    AgentError,
    BackupNotBegunError,
    BusyError,
    LibvirtError,
    NotBackError,
    NotPossibleError,
    UsageError,
    WithheldError,
)
from include.agent.journal import now
from include.agent.state_folder import StateFolder, VmFolder, locked, read_json
from include.agent.survey import vm_of
from include.agent.virsh import Virsh

_POLL_S = 0.05
_BEGUN_S = 30.0  # a job's process must be running by then
_LOCK_S = 2.0  # the watchdog locks a VM for moments only
_BACK_S = 10.0  # for a VM that an earlier run left down; its watchdog tries all the time anyway
_RUNS = {"guest_agent": False, "address": None, "ports": (), "same_ports": False, "timeout_s": 0}
_NEEDED = (
    *("run", "method", "managed_save", "on_timeout", "restart_changes", "shutdown_timeout_s", "watchdog_s"),
    *("scratch", "health_check"),
)


def begin_or_join(state: StateFolder, virsh: Virsh, uuid: str, request: dict[str, Any]) -> dict[str, Any]:
    """Begin a VM's backup, or find the one that this run began before.

    Returns:
        the job's answer, with the exit status as ``status``, and this host's time as ``clock``.

    Raises:
        UsageError: the request is wrong.
        BusyError: another VM of the host, or another run, is being backed up.
        WithheldError: another VM of the host isn't seen to be back: of this run, or of an earlier one.
        NotBackError: this VM isn't seen to be back: in this run, or since an earlier one.
        NotPossibleError: this VM is undefined.
        LibvirtError: the job left no result; the VM's watchdog starts it again.
    """
    if missing := [key for key in _NEEDED if key not in request]:
        raise UsageError(f"The request lacks {', '.join(missing)}.")
    state.make()
    folder = state.of(uuid)
    folder.make()
    with state.lock_host():
        _refuse_after_not_back(state, virsh, folder, request["run"])
        preflight.request(request)
        cleanup.require_no_boot_test(state, virsh)
        if watchdog.is_undefined(virsh, uuid):
            raise NotPossibleError(f"This host has no VM {uuid} any more: it was undefined.")
        _end_other_backups(state, virsh, folder, request["run"])
        job = _open_job(folder, request["run"]) or _start(state, virsh, folder, request)
    return _result(folder, job)


def remove_left_clones(state: StateFolder, virsh: Virsh, uuid: str) -> list[str]:
    """Remove what ended backups of a VM left beside its disks; return a sentence for what is still there.

    It does nothing while another backup is open, which does the same, or if libvirt doesn't know the VM.
    """
    folder = state.of(uuid)
    if not folder.path.exists():
        return []
    with locked(folder.lock, timeout_s=_LOCK_S) as is_mine, suppress(LibvirtError):
        if is_mine and not folder.journal.open:
            return cloned_disks.remove_left(folder, vm_of(state, virsh, uuid)["disks"])
    return []


def work(state: StateFolder, virsh: Virsh, uuid: str, job: str) -> None:
    """Begin the backup, and write the result. This is all that the job's process does."""
    folder = state.of(uuid)
    with locked(folder.lock, timeout_s=_BEGUN_S) as is_mine:
        request = read_json(folder.request)
        if is_mine and request.get("job") == job and not folder.journal.open:
            write_json(folder.request, {**request, "begun": True})
            outcome = _outcome(state, virsh, uuid, request)
            write_json(folder.result, {"job": job, "run": request["run"], **outcome})


def _outcome(state: StateFolder, virsh: Virsh, uuid: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"status": 0, **BeginBackup(state, virsh, vm_of(state, virsh, uuid), request).run()}
    except AgentError as error:
        return {"status": error.status, "error": type(error).__name__, "message": str(error)}
    except Exception:  # noqa: BLE001 - the waiting caller must get it
        return {"status": 1, "error": "AgentError", "message": traceback.format_exc()}


def _refuse_after_not_back(state: StateFolder, virsh: Virsh, own: VmFolder, run: str) -> None:
    """Refuse to go on while a VM that didn't come back in this run still isn't seen to be back.

    Raises:
        WithheldError: another VM isn't.
        NotBackError: this VM isn't.
    """
    for folder in state.folders():
        last = read_json(folder.not_back)
        if last.get("run") != run:
            continue
        if missing := _missing(virsh, folder, last["health_check"] or _RUNS):
            refusal = NotBackError if folder.uuid == own.uuid else WithheldError
            raise refusal(
                f"{last['vm']} didn't come back in this run: no further VM of this host is stopped before it "
                f"is seen to be back. There is still no sign of: {missing}. If it is to stay as it is: "
                f"{as_it_is(folder, virsh)}"
            )
        folder.not_back.unlink(missing_ok=True)


def _missing(virsh: Virsh, folder: VmFolder, checks: dict[str, Any]) -> str | None:
    """Return what there is no sign of, of a VM that didn't come back; None if it's back or undefined."""
    try:
        if watchdog.is_undefined(virsh, folder.uuid):
            return None
    except LibvirtError as error:
        return f"libvirt ({error})"
    if freeze.may_be_frozen(folder):
        return "thawed file systems"
    return HealthCheck(virsh, folder.uuid, checks).missing()


def _end_other_backups(state: StateFolder, virsh: Virsh, own: VmFolder, run: str) -> None:
    """Clean up after dead runs, so that this VM's backup can be begun.

    Raises:
        BusyError: another backup of the host is in use.
        WithheldError: another VM, which an earlier run left down, can't be started.
        NotBackError: this VM is the one.
    """
    for folder in state.folders():
        if folder.uuid == own.uuid and folder.journal.run == run:
            continue
        if not (folder.journal.open or folder.is_busy() or watchdog.is_orphaned(folder)):
            continue
        if _is_of(folder, run) or folder.is_sending() or _stays_busy(folder):
            name = folder.journal.entry("begin").get("vm", folder.uuid)
            raise BusyError(
                f"{name} of this host is being backed up. One VM of a host is backed up at a time."
            )
        try:
            end_backup(state, virsh, folder.uuid, None, back_s=_BACK_S)
        except NotBackError as error:
            if folder.uuid == own.uuid:
                raise
            raise WithheldError(
                f"An earlier run left a VM of this host down; no other VM is stopped before that is fixed. "
                f"{error}"
            ) from error


def _is_of(folder: VmFolder, run: str) -> bool:
    """Return whether a run's backup of the VM is open, or is just being begun or ended."""
    job = read_json(folder.request)
    unfinished = job.get("run") == run and read_json(folder.result).get("job") != job.get("job")
    return folder.journal.run == run or (unfinished and folder.is_busy())  # it may have no journal yet


def _stays_busy(folder: VmFolder) -> bool:
    """Return whether the VM is in use, and not just looked at by the watchdog of a run that died."""
    with locked(folder.lock, timeout_s=_LOCK_S) as idle:
        return not idle


def _open_job(folder: VmFolder, run: str) -> str | None:
    """Return the run's job if it is still working, or if its backup is still open."""
    job = read_json(folder.request)
    if job.get("run") != run:
        return None
    result = read_json(folder.result)
    if folder.is_busy() and result.get("job") != job["job"]:
        return str(job["job"])
    if result.get("job") != job["job"] or result["status"] != 0:
        return None
    try:
        exports.with_sizes(folder.journal.entry("ready")["exports"])
    except (KeyError, BackupNotBegunError):
        return None
    return str(job["job"])


def _start(state: StateFolder, virsh: Virsh, folder: VmFolder, request: dict[str, Any]) -> str:
    if folder.journal.open:
        end_backup(state, virsh, folder.uuid, request["run"])  # an attempt of this run that died
    job = secrets.token_hex(8)
    folder.result.unlink(missing_ok=True)
    write_json(folder.request, {**{key: request[key] for key in _NEEDED}, "job": job})
    detach.start(
        ["--uri", virsh.uri, "--state", str(state.root), "work", folder.uuid, job], f"inpe-backup-{job}"
    )
    deadline = time.monotonic() + _BEGUN_S
    while not read_json(folder.request).get("begun"):
        if time.monotonic() > deadline:
            raise LibvirtError(f"The backup's process didn't start in {_BEGUN_S:.0f} s. Nothing was touched.")
        time.sleep(_POLL_S)
    return job


def _result(folder: VmFolder, job: str) -> dict[str, Any]:
    while folder.is_busy():
        time.sleep(_POLL_S)
    result = read_json(folder.result)
    if result.pop("job", None) != job:
        raise LibvirtError(
            "The backup's process left no result; it was killed. The VM's watchdog starts it again. "
            "Try again."
        )
    return {**result, "clock": now()}
