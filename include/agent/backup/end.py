"""End a VM's backup: its job ended, scratch files removed, the VM as it was, the journal closed.

It may be called at any time and any number of times, whichever process died before.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent import detach
from include.agent.backup import cloned_disks, freeze, references, watchdog
from include.agent.disks import exports
from include.agent.errors import BusyError, LibvirtError, NotBackError, NotThawedError
from include.agent.state_folder import StateFolder, VmFolder, locked
from include.agent.virsh import Virsh

BACK_S = 120.0
LOCK_S = 5.0
_GONE = "gone"  # the state of a VM that libvirt doesn't know


def end_backup(
    state: StateFolder, virsh: Virsh, uuid: str, run: str | None, *, back_s: float | None = BACK_S
) -> dict[str, Any]:
    """End a VM's backup, and put the VM back in the state it was in before.

    Args:
        state: the agent's state folder.
        virsh: the host's libvirt.
        uuid: the VM's UUID.
        run: end only a backup of this run; None: of any run.
        back_s: for how many seconds to try to start a VM that was running; None: leave it as it is.

    Returns:
        ``vm`` (its name), ``state``, ``repaired`` (sentences) and ``scratch_bytes``.

    Raises:
        BusyError: the backup is just being begun, or its clones are kept.
        NotBackError: the VM was running before, and can't be started.
        LibvirtError: libvirt gives no answer.
    """
    folder = state.of(uuid)
    if not folder.path.exists():
        return _answer(folder, virsh, [], 0)
    with locked(folder.lock, timeout_s=0 if back_s == 0 else LOCK_S) as is_mine:
        if not is_mine:
            raise BusyError("The VM's backup is just being begun, or its clones are kept. Try again later.")
        if run is not None and folder.journal.run not in (run, None):
            return _answer(folder, virsh, [], 0)
        repaired, scratch_bytes = _clean_up(folder, virsh, back_s)
    return _answer(folder, virsh, repaired, scratch_bytes)


def _clean_up(folder: VmFolder, virsh: Virsh, back_s: float | None) -> tuple[list[str], int]:
    undefined = watchdog.is_undefined(virsh, folder.uuid)
    if undefined or back_s is None:
        repaired = _leave(folder, virsh, undefined=undefined)
    else:
        repaired = _bring_back(folder, virsh, back_s)
    if folder.journal.entry("ready").get("cloned") is False:  # what is published next has no clones
        references.drop(folder, "its last backup wasn't made from clones")
    scratch_bytes = 0
    for work_folder in folder.work_folders():
        scratch_bytes += _scratch_bytes(work_folder)
        exports.end(virsh, folder.uuid, work_folder)
        if not folder.remove_work_folder(work_folder):
            repaired.append(f"{work_folder} couldn't be removed. Remove it by hand.")
    repaired += cloned_disks.remove(folder)
    if not undefined and virsh.is_paused_on_io_error(folder.uuid):
        virsh.run("resume", f"--domain={folder.uuid}")
        repaired.append("It was paused because it couldn't write to a disk; it was resumed.")
    repaired += _end_watchdog(folder, virsh)
    folder.journal.close()
    shutil.rmtree(folder.files, ignore_errors=True)
    return repaired, scratch_bytes


def _leave(folder: VmFolder, virsh: Virsh, *, undefined: bool) -> list[str]:
    """Disarm the watchdog of a VM that is gone, or is to be left as it is."""
    folder.not_back.unlink(missing_ok=True)
    if not watchdog.must_run(folder):
        return []
    frozen = [] if undefined else _try_to_thaw(folder, virsh)
    watchdog.disarm(folder, virsh)
    with suppress(OSError):
        folder.journal.write("started-again", done=None)
    if undefined:
        return ["It was undefined meanwhile, so there is nothing to start."]
    return ["It was running before, and is left as it is, as requested.", *frozen]


def _try_to_thaw(folder: VmFolder, virsh: Virsh) -> list[str]:
    try:
        freeze.thaw(folder, virsh)
    except LibvirtError as error:
        return [str(error)]
    return []


def _bring_back(folder: VmFolder, virsh: Virsh, back_s: float) -> list[str]:
    if not watchdog.must_run(folder):
        return []
    try:
        done = watchdog.bring_back(folder, virsh, back_s)
    except LibvirtError as error:
        folder.record_not_back()
        if freeze.may_be_frozen(folder):  # otherwise it doesn't run, and writes nothing
            end_exports(folder, virsh)
            raise NotThawedError(_not_back_message(folder, virsh, error)) from error
        raise NotBackError(_not_back_message(folder, virsh, error)) from error
    if not done:
        return []
    with suppress(OSError):  # the VM runs; that counts
        folder.journal.write("started-again", done=done)
    return [f"It had been left {'frozen' if done == 'thawed' else 'down'}; it was {done}."]


def end_exports(folder: VmFolder, virsh: Virsh) -> None:
    """Try to end the exports of a backup that nobody will use: what the guest writes would fill the host."""
    for work_folder in folder.work_folders():
        with suppress(LibvirtError):
            exports.end(virsh, folder.uuid, work_folder)


def _not_back_message(folder: VmFolder, virsh: Virsh, error: LibvirtError) -> str:
    name = folder.journal.entry("begin").get("vm", folder.uuid)
    by_hand = f"Start it by hand: virsh -c {virsh.uri} start {folder.uuid}, or resume if it is paused."
    failed = f"and can't be started: {error} {by_hand}"
    if freeze.may_be_frozen(folder):
        failed = f"and isn't back: {error}"
    left = f"If it is to stay as it is: {as_it_is(folder, virsh)}"
    return f"{name} was running before its backup, {failed} {left}"


def as_it_is(folder: VmFolder, virsh: Virsh) -> str:
    """Return the command that ends a VM's backup, and leaves the VM as it is."""
    return detach.typed(virsh, folder, "end-backup", "--as-it-is")


def _end_watchdog(folder: VmFolder, virsh: Virsh) -> list[str]:
    if watchdog.may_still_go_down(folder) and folder.is_watched():
        watchdog.extend(folder)
        return ["It may still shut down late; its watchdog keeps running, and would start it again."]
    watchdog.disarm(folder, virsh)
    return []


def _scratch_bytes(work_folder: str) -> int:
    allocated = 0
    for path in Path(work_folder).glob("*.scratch"):
        with suppress(FileNotFoundError):
            allocated += path.stat().st_blocks * 512
    return allocated


def _answer(folder: VmFolder, virsh: Virsh, repaired: list[str], scratch_bytes: int) -> dict[str, Any]:
    defined = not watchdog.is_undefined(virsh, folder.uuid)
    name = virsh.run("domname", f"--domain={folder.uuid}") if defined else folder.uuid
    state = virsh.state(folder.uuid) if defined else _GONE
    return {"vm": name, "state": state, "repaired": repaired, "scratch_bytes": scratch_bytes}
