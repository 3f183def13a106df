"""The lease: the promise that a machine runs again, kept by a process that is nobody's child.

It's a file on the host (``lease.json``): whose it is, for how long, and whether the machine started with its
host before. What keeps it is in watch.py; what it takes to have a machine run again is here.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress

from . import detach, exports
from .errors import LibvirtError, NotPossibleError
from .folder import MachineFolder, State, read_json, write_json
from .virsh import Virsh

POLL_S = 0.5
ARMED_S = 20.0  # until the watcher must have said that it watches


def arm(state: State, folder: MachineFolder, virsh: Virsh, run: str, lease_s: float) -> None:
    """Have the machine's restart guarded from now on.

    Raises:
        NotPossibleError: no watcher came up; nothing was touched.
    """
    before = read_json(folder.lease)
    autostart = before.get("autostart", virsh.autostarts(folder.uuid))  # a standing lease may have set it
    token = secrets.token_hex(8)
    write_json(folder.lease, {"token": token, "run": run, "autostart": autostart, "lease_s": lease_s})
    watcher = ["--uri", virsh.uri, "--state", str(state.root), "watch", folder.uuid, token]
    detach.start(watcher, f"inpe-backup-lease-{token}", again=True)
    deadline = time.monotonic() + ARMED_S
    while read_json(folder.lease).get("watched") != token:
        if time.monotonic() > deadline:
            raise NotPossibleError(
                f"The process that would start the machine again didn't come up in {ARMED_S:.0f} s. "
                "Nothing was stopped."
            )
        time.sleep(0.02)


def end(folder: MachineFolder, virsh: Virsh) -> None:
    """Put autostart back as it was, and take the promise as kept."""
    lease = read_json(folder.lease)
    if lease and virsh.autostarts(folder.uuid) != lease["autostart"] and not is_gone(virsh, folder.uuid):
        virsh.set_autostart(folder.uuid, on=lease["autostart"])
    folder.lease.unlink(missing_ok=True)


def outlive(folder: MachineFolder) -> None:
    """Let the lease stand after the journal is closed, for a guest that may still go down."""
    lease = read_json(folder.lease)
    if lease and "late" not in lease:
        write_json(folder.lease, {**lease, "late": time.time() + lease["lease_s"]})


def is_late(folder: MachineFolder) -> bool:
    """Tell whether a guest is guarded that may go down late; without a watcher, for the lease's time."""
    until = read_json(folder.lease).get("late")
    return until is not None and (folder.watched() or time.time() < until)


def is_forgotten(folder: MachineFolder) -> bool:
    """Tell whether a lease is left that nobody keeps, as after a reboot of the host."""
    return folder.lease.exists() and not folder.watched()


def owed(folder: MachineFolder) -> bool:
    """Tell whether a machine has to be made to run: it ran, and isn't proven to be back."""
    if is_late(folder):
        return True
    began = folder.journal.facts("begin")
    return bool(began) and began["was"] == "running" and "back" not in folder.journal.steps()


def may_go_down_late(folder: MachineFolder) -> bool:
    """Tell whether a guest was asked to shut down, and isn't known to have done it."""
    steps = folder.journal.steps()
    asked = "shutdown" in steps or is_late(folder)
    return asked and not steps & {"off", "started-again"}


def is_gone(virsh: Virsh, uuid: str) -> bool:
    """Tell whether libvirt knows no such machine any more.

    Raises:
        LibvirtError: it can't be asked.
    """
    return uuid not in virsh.uuids()


def bring_back(folder: MachineFolder, virsh: Virsh, patience_s: float) -> str | None:
    """Make a machine run, trying until it does.

    Returns:
        what had to be done; None when it ran.

    Raises:
        LibvirtError: it still doesn't.
    """
    for room in folder.rooms():  # a copy that goes on keeps QEMU from opening the disk
        exports.end_processes(room)
    thaw(folder, virsh)
    done, deadline = None, time.monotonic() + patience_s
    while True:
        try:
            done = _revive(virsh, folder.uuid) or done
            if (state := virsh.state(folder.uuid)) in ("running", "idle"):
                return done
            trouble = LibvirtError(f"It is {state}.")
        except LibvirtError as error:
            trouble = error
        if time.monotonic() >= deadline:
            raise trouble
        time.sleep(POLL_S)


def thaw(folder: MachineFolder, virsh: Virsh) -> None:
    """Let a guest write again whose file systems were held still, and weren't let go."""
    steps = folder.journal.steps()
    if "fsfreeze" in steps and "thaw" not in steps:
        with suppress(LibvirtError):  # it may have been thawed, or never frozen
            virsh.run("domfsthaw", f"--domain={folder.uuid}")


def _revive(virsh: Virsh, uuid: str) -> str | None:
    """Take the one step that a machine needs to run; gives what it did, None if nothing was to be done.

    One that is kept as it crashed (``on_crash=preserve``) is left for whoever wanted it so.
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
