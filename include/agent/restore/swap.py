"""The last part of a restore: move definition, disks and firmware into place.

Each step is journaled before it's taken, and none leaves an incomplete disk (``file_swap.py``). A second call
resumes an interrupted one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from include.agent import firmware
from include.agent.disks import overlay
from include.agent.durable_files import write_json, write_whole
from include.agent.errors import AgentError, BusyError, LibvirtError, NotPossibleError, NotRestoredError
from include.agent.journal import now
from include.agent.restore import file_swap, snapshots
from include.agent.restore.definition import SafeDefinition
from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.receive import describe
from include.agent.restore.request import RestoreRequest
from include.agent.restore.status import Move, describe_unfinished, moves
from include.agent.restore.target import checked_restore, require_off
from include.agent.restore.verified import fingerprint, verified_disks
from include.agent.restore.work_folder import restore_work_folder
from include.agent.state_folder import StateFolder, VmFolder, locked, read_json
from include.agent.virsh import Virsh

_PATIENCE_S = 5.0
_BEFORE_MOVES = "autostart"  # the step after which disks are moved; a second call defines the VM again


def check(state: StateFolder, virsh: Virsh, request: dict[str, Any]) -> dict[str, Any]:
    """Check whether a restore can be done, or is done already; change nothing.

    Returns:
        ``done`` (the result of :func:`swap`, if this run did it already, or None), ``begun`` (whether a swap
        was interrupted), ``disks`` (the places) and ``warnings``; both empty in these two cases.

    Raises:
        NotPossibleError: it can't be done; the message has the reason.
        BusyError: the VM is being backed up.
    """
    restore = RestoreRequest(request)
    folder = state.of(restore.uuid)
    if (done := _done(folder, restore)) or _begun(folder, restore):
        return {"done": done or None, "begun": not done, "disks": [], "warnings": []}
    places, definition = checked_restore(state, virsh, restore)
    disks = [describe(place) for place in places]
    return {"done": None, "begun": False, "disks": disks, "warnings": definition.warnings}


def swap(state: StateFolder, virsh: Virsh, request: dict[str, Any]) -> dict[str, Any]:
    """Move what was received for a VM into place.

    Returns:
        ``vm``, ``uuid``, ``state`` (virsh domstate), ``at``, ``kept`` (the paths of the old disks),
        ``definition`` (the file of the old one, or None) and ``warnings``.

    Raises:
        NotPossibleError: it can't be done; nothing was changed.
        BusyError: another process works on the VM.
        NotRestoredError: it failed halfway, or not all was received; the message says what each disk holds.
        LibvirtError: libvirt refused, or is away; the message says the same.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the caller may go
    restore = RestoreRequest(request)
    with _locked(state, restore) as folder, restore_work_folder(folder, restore) as work_folder:
        if done := _done(folder, restore):
            return done
        try:
            if not _begun(folder, restore):
                _begin(state, virsh, folder, restore)
            answer = _move_all(virsh, folder, restore, work_folder)
        except (AgentError, OSError) as error:
            if not folder.restoring.open:
                raise
            _give_up_if_undefinable(virsh, folder, error)
            kind = type(error) if isinstance(error, AgentError) else NotRestoredError
            raise kind(f"{error} {describe_unfinished(folder)}") from error
        write_json(
            folder.restore / "done.json", {"run": restore.run, "token": restore.token, "answer": answer}
        )
        folder.restoring.close()
        return answer


@contextmanager
def _locked(state: StateFolder, restore: RestoreRequest) -> Iterator[VmFolder]:
    """Lock the VM against other restores, and against backups."""
    folder = state.of(restore.uuid)
    if not folder.restore.exists():
        raise NotRestoredError(f"No disk of {restore.name} has been received. Nothing was changed.")
    with ExitStack() as locks:
        for lock in (folder.restore / "lock", folder.lock):
            if not locks.enter_context(locked(lock, timeout_s=_PATIENCE_S)):
                raise BusyError(f"Another process is working on {restore.name}. Try again later.")
        yield folder


def _give_up_if_undefinable(virsh: Virsh, folder: VmFolder, error: Exception) -> None:
    """Close the journal if libvirt refused the definition, since nothing has been moved yet.

    Raises:
        NotPossibleError: libvirt refused it.
    """
    steps = [entry["step"] for entry in folder.restoring.entries()]
    if steps[-1] == "define" and _BEFORE_MOVES not in steps and isinstance(error, LibvirtError):
        virsh.uuids()  # raises if libvirt is away instead
        folder.restoring.close()
        raise NotPossibleError(f"Nothing was moved. {error}") from error


def _done(folder: VmFolder, restore: RestoreRequest) -> dict[str, Any]:
    found = read_json(folder.restore / "done.json")
    same = (found.get("run"), found.get("token")) == (restore.run, restore.token)
    return dict(found["answer"]) if same and not folder.restoring.open else {}


def _begun(folder: VmFolder, restore: RestoreRequest) -> bool:
    return folder.restoring.entry("begin").get("token") == restore.token


def _begin(state: StateFolder, virsh: Virsh, folder: VmFolder, restore: RestoreRequest) -> None:
    """Check again that it can be done and that all is verified; then write the moves to the journal."""
    places, definition = checked_restore(state, virsh, restore)
    verified = verified_disks(folder, restore.token)
    for place in places:
        with suppress(FileNotFoundError):
            if verified.get(place.disk.name) == fingerprint(place):
                continue
        raise NotRestoredError(
            f"{place.disk.name} isn't verified on the host yet. {restore.name} wasn't touched."
        )
    _write_firmware(restore, definition)
    write_whole(_definition_file(folder), definition.xml.encode(), 0o600)
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%SZ")
    to_move = [_disk_move(place, stamp) for place in places]
    to_move += [
        _file_move(name, path, restore.new(path), stamp) for name, path in sorted(definition.firmware.items())
    ]
    folder.restoring.write(
        "begin",
        run=restore.run,
        token=restore.token,
        vm=restore.name,
        generation=restore.generation,
        in_place=restore.in_place,
        keep_old=restore.keep_old,
        stamp=stamp,
        warnings=definition.warnings,
        moves=[
            [move.what, str(move.place), str(move.new), str(move.old or ""), move.overlay] for move in to_move
        ],
    )


def _disk_move(place: DiskPlace, stamp: str) -> Move:
    if place.overlay:
        overlay.require_space(place.new)
        return Move(place.disk.name, place.place, place.new, None, overlay=True)
    return _file_move(place.disk.name, place.place, place.new, stamp)


def _file_move(what: str, place: Path, new: Path, stamp: str) -> Move:
    """Return a move; an old file is kept under a second name, a block device isn't."""
    keep = place != new and os.path.lexists(place)
    return Move(what, place, new, Path(f"{place}.before-restore-{stamp}") if keep else None)


def _definition_file(folder: VmFolder) -> Path:
    return folder.restore / "domain.xml"


def _write_firmware(restore: RestoreRequest, definition: SafeDefinition) -> None:
    write = {"nvram.fd": firmware.write_nvram, "tpm.tar": firmware.unpack_tpm}
    for name, path in definition.firmware.items():
        write[name](restore.files[name], restore.new(path))


def _move_all(virsh: Virsh, folder: VmFolder, restore: RestoreRequest, work_folder: Path) -> dict[str, Any]:
    if restore.uuid in virsh.uuids():
        _keep_definition(virsh, folder, restore)
    folder.restoring.write("define")
    virsh.run("define", f"--file={_definition_file(folder)}")
    to_move = moves(folder)
    with _no_autostart(virsh, folder, restore):
        for move in to_move:
            if not move.moved:
                require_off(virsh, restore)
                _put(folder, move, work_folder)
        if restore.in_place:
            snapshots.ListedSnapshots(virsh, folder, restore, to_move).drop_unfit()
    old = [move.old for move in to_move if move.old]
    # What is kept may be a file of others that was in the way: the call that began the swap checked that.
    if not (restore.keep_old or folder.restoring.entry("begin")["keep_old"]):
        folder.restoring.write("remove-old")
        for path in old:
            file_swap.remove_old(path)
        old = []
    definition = folder.restoring.entry("keep definition").get("path")
    about = {"vm": restore.name, "uuid": restore.uuid, "definition": definition}
    return {**about, "kept": [str(path) for path in old], **_started(virsh, folder, restore)}


@contextmanager
def _no_autostart(virsh: Virsh, folder: VmFolder, restore: RestoreRequest) -> Iterator[None]:
    """Keep the VM from starting with half of its disks if the host reboots during the block."""
    if _BEFORE_MOVES not in folder.restoring.steps():
        folder.restoring.write(_BEFORE_MOVES, on=virsh.autostarts(restore.uuid))
    on = folder.restoring.entry(_BEFORE_MOVES)["on"]
    if on:
        virsh.set_autostart(restore.uuid, on=False)
    yield
    if on:
        virsh.set_autostart(restore.uuid, on=True)


def _put(folder: VmFolder, move: Move, work_folder: Path) -> None:
    if move.overlay:
        folder.restoring.write(f"commit {move.what}")
        overlay.commit(move, work_folder)
        return
    folder.restoring.write(f"keep {move.what}")
    file_swap.keep_old(move)
    folder.restoring.write(f"move {move.what}")
    file_swap.move_new(move)


def _keep_definition(virsh: Virsh, folder: VmFolder, restore: RestoreRequest) -> None:
    stamp = folder.restoring.entry("begin")["stamp"]
    old = folder.restore / f"domain.before-restore-{stamp}.xml"
    if restore.in_place and not old.exists():
        folder.restoring.write("keep definition", path=str(old))
        write_whole(old, virsh.xml(restore.uuid).encode() + b"\n", 0o600)


def _started(virsh: Virsh, folder: VmFolder, restore: RestoreRequest) -> dict[str, Any]:
    warnings = [*folder.restoring.entry("begin")["warnings"], *snapshots.warnings(folder)]
    if restore.start and virsh.state(restore.uuid) == "shut off":
        folder.restoring.write("start")
        try:
            virsh.run("start", f"--domain={restore.uuid}")
        except AgentError as error:
            warnings.append(f"It is restored, but doesn't start: {error}")
    return {"state": virsh.state(restore.uuid), "at": now(), "warnings": warnings}
