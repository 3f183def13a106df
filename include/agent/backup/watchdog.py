"""The restart watchdog: a file and a process that guarantee that a stopped or suspended VM runs again.

The file (``watchdog.json``) contains the watchdog's token, the run, the seconds until the watchdog acts, and
whether the VM autostarted before. Its process is in ``watchdog_process.py``; this module arms and disarms it,
and makes a VM run.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress

from include.agent import detach
from include.agent.backup import cloned_disks, freeze
from include.agent.disks import exports
from include.agent.durable_files import write_json
from include.agent.errors import AgentError, LibvirtError, NotPossibleError
from include.agent.state_folder import StateFolder, VmFolder, read_json
from include.agent.virsh import Virsh

POLL_S = 0.5
ARMED_S = 20.0  # the watchdog's process must be running by then
UNDO_S = (
    120.0  # a guest that stays suspended or frozen for so long raises the alarm; its watchdog keeps trying
)
LEFT_PAUSED = "left-paused"
"""The step that the journal gets if somebody else has paused the VM, which wasn't touched."""


def arm(state: StateFolder, folder: VmFolder, virsh: Virsh, run: str, watchdog_s: float) -> None:
    """Start a watchdog for a VM, and wait until its process is running.

    Raises:
        NotPossibleError: the process doesn't start; nothing was touched.
    """
    before = read_json(folder.watchdog)
    autostart = before.get("autostart", virsh.autostarts(folder.uuid))  # an armed watchdog may have set it
    token = secrets.token_hex(8)
    write_json(
        folder.watchdog, {"token": token, "run": run, "autostart": autostart, "watchdog_s": watchdog_s}
    )
    arguments = ["--uri", virsh.uri, "--state", str(state.root), "watch", folder.uuid, token]
    detach.start(arguments, f"inpe-backup-watchdog-{token}", restart=True)
    deadline = time.monotonic() + ARMED_S
    while read_json(folder.watchdog).get("watched") != token:
        if time.monotonic() > deadline:
            raise NotPossibleError(
                f"The VM's watchdog, which would start it again, didn't start within {ARMED_S:.0f} s. "
                "Nothing was stopped."
            )
        time.sleep(0.02)


def disarm(folder: VmFolder, virsh: Virsh) -> None:
    """Set autostart as it was before, and remove the watchdog; its process then ends by itself."""
    watchdog = read_json(folder.watchdog)
    if (
        watchdog
        and virsh.autostarts(folder.uuid) != watchdog["autostart"]
        and not is_undefined(virsh, folder.uuid)
    ):
        virsh.set_autostart(folder.uuid, on=watchdog["autostart"])
    folder.watchdog.unlink(missing_ok=True)


def extend(folder: VmFolder) -> None:
    """Keep the watchdog after the journal is closed, for a guest that may still shut down late."""
    watchdog = read_json(folder.watchdog)
    if watchdog and "late" not in watchdog:
        write_json(folder.watchdog, {**watchdog, "late": time.time() + watchdog["watchdog_s"]})


def awaits_late_shutdown(folder: VmFolder) -> bool:
    """Return whether the watchdog was extended, and is still running or hasn't expired."""
    until = read_json(folder.watchdog).get("late")
    return until is not None and (folder.is_watched() or time.time() < until)


def is_orphaned(folder: VmFolder) -> bool:
    """Return whether a watchdog is left without its process, as after a reboot of the host."""
    return folder.watchdog.exists() and not folder.is_watched()


def must_run(folder: VmFolder) -> bool:
    """Return whether a VM must be made to run: it ran, and isn't known to run again, or paused by others."""
    if awaits_late_shutdown(folder):
        return True
    began, steps = folder.journal.entry("begin"), folder.journal.steps()
    if LEFT_PAUSED in steps and not freeze.may_be_frozen(folder):
        return False
    return bool(began) and began["was"] == "running" and "back" not in steps


def may_still_go_down(folder: VmFolder) -> bool:
    """Return whether a guest was asked to shut down, or libvirt to suspend it, and that may still be done."""
    steps = folder.journal.steps()
    asked = "shutdown" in steps or awaits_late_shutdown(folder)
    if asked and not steps & {"off", "started-again"}:
        return True
    return is_suspended(folder) and "started-again" not in steps


def is_suspended(folder: VmFolder) -> bool:
    """Return whether a VM was suspended for its backup, and isn't known to be resumed."""
    steps = folder.journal.steps()
    return "suspend" in steps and "resumed" not in steps


def is_undefined(virsh: Virsh, uuid: str) -> bool:
    """Return whether libvirt has no VM of this UUID.

    Raises:
        LibvirtError: libvirt gives no answer.
    """
    return uuid not in virsh.uuids()


def bring_back(folder: VmFolder, virsh: Virsh, timeout_s: float) -> str | None:
    """Make a VM run with thawed file systems, trying until it does or the timeout is over.

    One that somebody else has paused is only thawed, once they have resumed it. If it doesn't run at once,
    the clones of its open backup are removed.

    Returns:
        what was done: ``started``, ``resumed``, ``woken`` or ``thawed``; None if it was running.

    Raises:
        LibvirtError: it doesn't run, or isn't seen to be thawed.
    """
    for work_folder in folder.work_folders():  # a copy that is still running keeps QEMU from opening the disk
        exports.end_processes(work_folder)
    done, deadline = None, time.monotonic() + timeout_s
    while True:
        try:
            if LEFT_PAUSED in folder.journal.steps():
                return "thawed" if freeze.thaw(folder, virsh) else None
            done = _start_or_resume(virsh, folder.uuid) or done
            if (state := virsh.state(folder.uuid)) in ("running", "idle"):
                return done if not freeze.thaw(folder, virsh) else done or "thawed"
            failure = LibvirtError(f"It is {state}.")
        except LibvirtError as error:
            failure = error
        with suppress(OSError):
            cloned_disks.remove(folder)  # it may be paused as they fill its disk's file system
        if time.monotonic() >= deadline:
            raise failure
        time.sleep(POLL_S)


def resume_paused(virsh: Virsh) -> None:
    """Try to resume all VMs that QEMU paused because it couldn't write: they may share a file system."""
    with suppress(AgentError):
        for uuid in [uuid for uuid in virsh.uuids() if virsh.is_paused_on_io_error(uuid)]:
            with suppress(AgentError):  # one that can't be resumed leaves no other one paused
                virsh.run("resume", f"--domain={uuid}")


def _start_or_resume(virsh: Virsh, uuid: str) -> str | None:
    """Take the one step that a VM needs to run, and return its name; None if no step is due.

    A VM preserved after a crash (``on_crash=preserve``) is left alone: its administrator configured that.
    """
    state = virsh.state(uuid)
    if state == "shut off":
        virsh.run("start", f"--domain={uuid}")
        return "started"
    if state == "paused":
        virsh.run("resume", f"--domain={uuid}")
        return "resumed"
    if state == "pmsuspended":
        virsh.run("dompmwakeup", f"--domain={uuid}")
        return "woken"
    return None
