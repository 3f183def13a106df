"""The freeze as a job of its own on the host: neither the network's nor Airflow's death touches it.

Who asks starts it and waits. Who asks again for the same run finds it, or what it came to.
"""

from __future__ import annotations

import secrets
import time
import traceback
from typing import Any

from . import check, detach, drill_end, exports, lease
from .errors import (
    AgentError,
    BusyError,
    LibvirtError,
    NotBackError,
    NotFrozenError,
    NotPossibleError,
    UsageError,
)
from .folder import MachineFolder, State, held, read_json, write_json
from .freeze import Freeze
from .release import release
from .survey import machine_of
from .virsh import Virsh

_POLL_S = 0.05
_BEGUN_S = 30.0  # until a job must have begun
_A_LOOK_S = 2.0  # the watcher holds a machine for moments only
_BACK_S = 10.0  # for a machine that a run before left down; its watcher tries all the time
_NEEDED = ("run", "method", "on_timeout", "shutdown_timeout_s", "lease_s", "scratch", "proof")


def ask(state: State, virsh: Virsh, uuid: str, request: dict[str, Any]) -> dict[str, Any]:
    """Have a machine frozen, or find it frozen for this run.

    Returns:
        the freeze's answer, and as ``status`` the exit status.

    Raises:
        UsageError: the request isn't in order.
        BusyError: it isn't this machine's turn.
        NotPossibleError: another machine of the host didn't come back; or this one isn't there any more.
        LibvirtError: the job ended without a word; the lease sees to the machine.
    """
    if missing := [key for key in _NEEDED if key not in request]:
        raise UsageError(f"The request lacks {', '.join(missing)}.")
    state.make()
    folder = state.of(uuid)
    folder.make()
    with state.turn():
        _refuse_after_not_back(state, request["run"])
        check.request(request)
        drill_end.refuse_meanwhile(state, virsh)
        if lease.is_gone(virsh, uuid):
            raise NotPossibleError(f"This host has no machine {uuid} any more: it was undefined.")
        _make_way(state, virsh, folder, request["run"])
        job = _standing(folder, request["run"]) or _begin(state, virsh, folder, request)
    return _result(folder, job)


def work(state: State, virsh: Virsh, uuid: str, job: str) -> None:
    """Freeze, and leave the result. This is the whole life of the job's process."""
    folder = state.of(uuid)
    with held(folder.lock, patience_s=_BEGUN_S) as mine:
        asked = read_json(folder.request)
        if mine and asked.get("job") == job and not folder.journal.open:
            write_json(folder.request, {**asked, "begun": True})
            write_json(
                folder.result, {"job": job, "run": asked["run"], **_outcome(state, virsh, uuid, asked)}
            )


def _outcome(state: State, virsh: Virsh, uuid: str, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"status": 0, **Freeze(state, virsh, machine_of(state, virsh, uuid), request).run()}
    except AgentError as error:
        return {"status": error.status, "error": type(error).__name__, "message": str(error)}
    except Exception:  # noqa: BLE001 - whoever waits has to hear of it
        return {"status": 1, "error": "AgentError", "message": traceback.format_exc()}


def _refuse_after_not_back(state: State, run: str) -> None:
    last = state.not_back()
    if last.get("run") == run:
        raise NotPossibleError(
            f"{last['machine']} didn't come back in this run: no further machine of this host is stopped "
            "in it."
        )


def _make_way(state: State, virsh: Virsh, mine: MachineFolder, run: str) -> None:
    """See that it's this machine's turn; what a dead run left behind is put right first.

    Raises:
        BusyError: it isn't.
    """
    for folder in state.folders():
        if folder.uuid == mine.uuid and folder.journal.run == run:
            continue
        if not (folder.journal.open or folder.at_work() or lease.is_forgotten(folder)):
            continue
        busy = _is_worked_at(folder)  # only then it's known whose it is: a job that begins has no journal yet
        if busy or folder.journal.run == run or folder.served():
            whose = folder.journal.facts("begin").get("machine", folder.uuid)
            raise BusyError(
                f"{whose} of this host is being imaged. One machine of a host is imaged at a time."
            )
        try:
            release(state, virsh, folder.uuid, None, back_s=_BACK_S)
        except NotBackError as error:
            raise NotPossibleError(
                f"A run before left a machine of this host down, and no other is stopped until it's seen to. "
                f"{error}"
            ) from error


def _is_worked_at(folder: MachineFolder) -> bool:
    with held(folder.lock, patience_s=_A_LOOK_S) as idle:
        return not idle


def _standing(folder: MachineFolder, run: str) -> str | None:
    """Give the job of this run that is at work, or has the disks frozen still."""
    job = read_json(folder.request)
    if job.get("run") != run:
        return None
    result = read_json(folder.result)
    if folder.at_work() and result.get("job") != job["job"]:
        return str(job["job"])
    if result.get("job") != job["job"] or result["status"] != 0:
        return None
    try:
        exports.measured(folder.journal.facts("ready")["exports"])
    except (KeyError, NotFrozenError):
        return None
    return str(job["job"])


def _begin(state: State, virsh: Virsh, folder: MachineFolder, request: dict[str, Any]) -> str:
    if folder.journal.open:
        release(state, virsh, folder.uuid, request["run"])  # an attempt of ours that died
    job = secrets.token_hex(8)
    folder.result.unlink(missing_ok=True)
    write_json(folder.request, {**{key: request[key] for key in _NEEDED}, "job": job})
    detach.start(
        ["--uri", virsh.uri, "--state", str(state.root), "work", folder.uuid, job], f"inpe-backup-{job}"
    )
    deadline = time.monotonic() + _BEGUN_S
    while not read_json(folder.request).get("begun"):
        if time.monotonic() > deadline:
            raise LibvirtError(f"The freeze didn't begin within {_BEGUN_S:.0f} s. Nothing was touched.")
        time.sleep(_POLL_S)
    return job


def _result(folder: MachineFolder, job: str) -> dict[str, Any]:
    while folder.at_work():
        time.sleep(_POLL_S)
    result = read_json(folder.result)
    if result.pop("job", None) != job:
        raise LibvirtError("The freeze was killed. The lease makes the machine run again; ask once more.")
    return result
