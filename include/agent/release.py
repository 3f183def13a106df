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
from .folder import MachineFolder, State, held
from .virsh import Virsh

BACK_S = 120.0
_GONE = "gone"  # for want of a word of libvirt's: it has none for what it doesn't know


def release(
    state: State, virsh: Virsh, uuid: str, run: str | None, *, back_s: float | None = BACK_S
) -> dict[str, Any]:
    """Put a machine back as it was before it was frozen.

    Args:
        state: the agent's folder.
        virsh: the host's libvirt.
        uuid: the machine's.
        run: whose freeze it must be; None: anybody's. Somebody else's is left alone.
        back_s: how long it's tried to start a machine that ran; None: it's left as it is.

    Raises:
        BusyError: its freeze is still at work.
        NotBackError: the machine doesn't run, and did before.
        LibvirtError: libvirt can't be asked now.
    """
    folder = state.of(uuid)
    if not folder.path.exists():
        return _told(folder, virsh, [], 0)
    with held(folder.lock, patience_s=5.0 if back_s else 0) as mine:
        if not mine:
            raise BusyError("The machine's freeze is still at work. Come again.")
        if run is not None and folder.journal.run not in (run, None):
            return _told(folder, virsh, [], 0)
        repaired, scratch_bytes = _put_back(state, folder, virsh, back_s)
    return _told(folder, virsh, repaired, scratch_bytes)


def _put_back(
    state: State, folder: MachineFolder, virsh: Virsh, back_s: float | None
) -> tuple[list[str], int]:
    gone = lease.is_gone(virsh, folder.uuid)
    if not gone:
        lease.thaw(folder, virsh)
    if gone or back_s is None:
        repaired = _unguard(folder, virsh, gone=gone)
    else:
        repaired = _bring_back(state, folder, virsh, back_s)
    scratch_bytes = 0
    for room in folder.rooms():
        scratch_bytes += _allocated(room)
        exports.end(virsh, folder.uuid, room)
        if not folder.remove_room(room):
            repaired.append(f"{room} couldn't be removed. Remove it by hand.")
    if not gone and virsh.is_halted(folder.uuid):
        virsh.run("resume", f"--domain={folder.uuid}")
        repaired.append("It had halted because it couldn't write; it goes on.")
    repaired += _end_lease(folder, virsh)
    folder.journal.close()
    shutil.rmtree(folder.kept, ignore_errors=True)
    return repaired, scratch_bytes


def _unguard(folder: MachineFolder, virsh: Virsh, *, gone: bool) -> list[str]:
    """Owe the machine nothing any more: nobody's there, or somebody wants it as it is."""
    if not lease.owed(folder):
        return []
    lease.end(folder, virsh)
    with suppress(OSError):
        folder.journal.write("started-again", done=None)
    if gone:
        return ["Somebody has undefined it meanwhile: there is nothing to be started."]
    return ["It ran before, and is left as it is, as was asked for."]


def _bring_back(state: State, folder: MachineFolder, virsh: Virsh, back_s: float) -> list[str]:
    if not lease.owed(folder):
        return []
    try:
        done = lease.bring_back(folder, virsh, back_s)
    except LibvirtError as error:
        began = folder.journal.facts("begin")
        name = began.get("machine", folder.uuid)
        state.say_not_back(began.get("run", ""), name)
        raise NotBackError(
            f"{name} ran before it was to be imaged, and can't be made to run: {error} Start it by hand "
            f"(virsh start {folder.uuid}); or, if it's to stay as it is: agent release --as-it-is "
            f"{folder.uuid}"
        ) from error
    if not done:
        return []
    with suppress(OSError):  # it runs, and that's what counts
        folder.journal.write("started-again", done=done)
    return [f"It had been left down; it was {done}."]


def _end_lease(folder: MachineFolder, virsh: Virsh) -> list[str]:
    if lease.may_go_down_late(folder) and folder.watched():
        lease.outlive(folder)
        return ["It may still go down late; the host goes on guarding that it's started again."]
    lease.end(folder, virsh)
    return []


def _allocated(room: str) -> int:
    found = 0
    for path in Path(room).glob("*.scratch"):
        with suppress(FileNotFoundError):
            found += path.stat().st_blocks * 512
    return found


def _told(folder: MachineFolder, virsh: Virsh, repaired: list[str], scratch_bytes: int) -> dict[str, Any]:
    there = not lease.is_gone(virsh, folder.uuid)
    name = virsh.run("domname", f"--domain={folder.uuid}") if there else folder.uuid
    state = virsh.state(folder.uuid) if there else _GONE
    return {"machine": name, "state": state, "repaired": repaired, "scratch_bytes": scratch_bytes}
