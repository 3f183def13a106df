"""Puts everything back: the job ended, its room gone, the machine as it was, the journal closed.

It may be called at any time, any number of times, whoever died before.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import exports, lease
from .errors import BusyError, LibvirtError, NotBackError
from .folder import MachineFolder, State, held, is_held
from .virsh import Virsh

BACK_S = 120.0


def release(state: State, virsh: Virsh, uuid: str, run: str | None) -> dict[str, Any]:
    """Put a machine back as it was before it was frozen.

    Args:
        state: the agent's folder.
        virsh: the host's libvirt.
        uuid: the machine's.
        run: whose freeze it must be; None: anybody's. Somebody else's is left alone.

    Raises:
        BusyError: its freeze is still at work.
        NotBackError: the machine doesn't run, and did before.
        LibvirtError: libvirt can't be asked now.
    """
    folder = state.of(uuid)
    if not folder.path.exists():
        return _told(folder, virsh, [], 0)
    with held(folder.lock, patience_s=5.0) as mine:
        if not mine:
            raise BusyError("The machine's freeze is still at work. Come again.")
        if run is not None and folder.journal.run not in (run, None):
            return _told(folder, virsh, [], 0)
        repaired, scratch_bytes = _put_back(state, folder, virsh)
    return _told(folder, virsh, repaired, scratch_bytes)


def _put_back(state: State, folder: MachineFolder, virsh: Virsh) -> tuple[list[str], int]:
    repaired = _bring_back(state, folder, virsh)
    scratch_bytes = 0
    for room in _rooms(folder):
        scratch_bytes += _allocated(room)
        exports.end(virsh, folder.uuid, room)
        folder.remove_room(room)
    if virsh.run("domstate", f"--domain={folder.uuid}", "--reason") == "paused (I/O error)":
        virsh.run("resume", f"--domain={folder.uuid}")
        repaired.append("It had halted because it couldn't write; it goes on.")
    repaired += _end_lease(folder, virsh)
    folder.journal.close()
    shutil.rmtree(folder.kept, ignore_errors=True)
    for file in (folder.result, folder.request):
        file.unlink(missing_ok=True)
    return repaired, scratch_bytes


def _bring_back(state: State, folder: MachineFolder, virsh: Virsh) -> list[str]:
    if not lease.owed(folder):
        lease.thaw(folder, virsh)
        return []
    try:
        done = lease.bring_back(folder, virsh, BACK_S)
    except LibvirtError as error:
        began = folder.journal.facts("begin")
        state.say_not_back(began.get("run", ""), began.get("machine", folder.uuid))
        raise NotBackError(f"It was running before it was stopped, and can't be started: {error}") from error
    if done:
        folder.journal.write("started-again", done=done)
        return [f"It had been left down; it was {done}."]
    return []


def _end_lease(folder: MachineFolder, virsh: Virsh) -> list[str]:
    if lease.went_its_own_way(folder) and is_held(folder.lease_lock):
        lease.outlive(folder)
        return ["It may still go down late; the host goes on guarding that it's started again."]
    lease.end(folder, virsh)
    return []


def _rooms(folder: MachineFolder) -> list[str]:
    named = [entry["room"] for entry in folder.journal.entries() if "room" in entry]
    return sorted({*named, *folder.lost_rooms()})


def _allocated(room: str) -> int:
    found = 0
    for path in Path(room).glob("*.scratch"):
        with suppress(FileNotFoundError):
            found += path.stat().st_blocks * 512
    return found


def _told(folder: MachineFolder, virsh: Virsh, repaired: list[str], scratch_bytes: int) -> dict[str, Any]:
    name = virsh.run("domname", f"--domain={folder.uuid}")
    state = virsh.state(folder.uuid)
    return {"machine": name, "state": state, "repaired": repaired, "scratch_bytes": scratch_bytes}
