"""The lease: the promise that a machine runs again, kept by a process that is nobody's child.

The watcher does nothing while the agent works. When the agent is gone, or takes too long, it makes the
machine run. Later it guards the frozen disks: a guest must not halt because the room for them is full, and
disks that nobody reads any more aren't held for ever.
"""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from typing import Any

from . import detach
from .errors import AgentError, LibvirtError, NotPossibleError
from .folder import MachineFolder, State, held, read_json, write_json
from .virsh import Virsh

POLL_S = 0.5
ARMED_S = 20.0  # until the watcher must have said that it watches
UNREAD_S = 2 * 3600.0  # frozen disks that nobody read for so long are given up
LOW_BYTES, LOW_PART = (
    256 << 20,
    20,
)  # scratch room counts as full at 256 MiB, or at a twentieth if that is less


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
    detach.start(watcher, f"inpe-backup-lease-{token}")
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
    disarm(folder, virsh)
    folder.lease.unlink(missing_ok=True)


def disarm(folder: MachineFolder, virsh: Virsh) -> None:
    """Put autostart back as it was."""
    lease = read_json(folder.lease)
    if lease and virsh.autostarts(folder.uuid) != lease["autostart"]:
        virsh.set_autostart(folder.uuid, on=lease["autostart"])


def outlive(folder: MachineFolder) -> None:
    """Let the lease stand after the journal is closed, for a guest that may still go down."""
    write_json(folder.lease, {**read_json(folder.lease), "late": True})


def owed(folder: MachineFolder) -> bool:
    """Tell whether a machine has to be made to run: it ran, and isn't proven to be back."""
    if read_json(folder.lease).get("late"):
        return True
    began = folder.journal.facts("begin")
    return bool(began) and began["was"] == "running" and "back" not in folder.journal.steps()


def went_its_own_way(folder: MachineFolder) -> bool:
    """Tell whether a guest was asked to shut down, and isn't known to have done it: it may yet."""
    steps = folder.journal.steps()
    return "shutdown" in steps and not steps & {"off", "started-again"}


def revive(virsh: Virsh, uuid: str) -> str | None:
    """Take the one step that a machine needs to run; gives what it did, None if nothing was to be done."""
    state = virsh.state(uuid)
    if state in ("shut off", "crashed"):
        virsh.run("start", f"--domain={uuid}")
        return "started"
    if state == "paused":
        virsh.run("resume", f"--domain={uuid}")
        return "resumed"
    if state == "pmsuspended":
        virsh.run("dompmwakeup", f"--domain={uuid}")
        return "woken"
    return None


def bring_back(folder: MachineFolder, virsh: Virsh, patience_s: float) -> str | None:
    """Make a machine run, trying until it does.

    Returns:
        what had to be done; None when it ran.

    Raises:
        LibvirtError: it still doesn't.
    """
    thaw(folder, virsh)
    done, deadline = None, time.monotonic() + patience_s
    while True:
        try:
            done = revive(virsh, folder.uuid) or done
            if virsh.state(folder.uuid) in ("running", "idle"):
                return done
        except LibvirtError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise LibvirtError(f"The machine is {virsh.state(folder.uuid)} {patience_s:.0f} s later.")
        time.sleep(POLL_S)


def thaw(folder: MachineFolder, virsh: Virsh) -> None:
    """Let a guest write again whose file systems were held still, and weren't let go."""
    steps = folder.journal.steps()
    if "fsfreeze" in steps and "thaw" not in steps:
        with suppress(LibvirtError):  # it may have been thawed, or never frozen
            virsh.run("domfsthaw", f"--domain={folder.uuid}")


def watch(state: State, virsh: Virsh, uuid: str, token: str) -> None:
    """Watch, until the lease is somebody else's or gone. This is the whole life of the watcher's process."""
    folder = state.of(uuid)
    with held(folder.lease_lock, patience_s=60.0) as mine:  # an older watcher goes within a moment
        lease = read_json(folder.lease)
        if not mine or lease.get("token") != token:
            return
        write_json(folder.lease, {**lease, "watched": token})
        watcher = Watcher(state, folder, virsh, lease["lease_s"])
        while read_json(folder.lease).get("token") == token:
            with suppress(AgentError, OSError):  # libvirtd may be away: look again
                watcher.look()
            time.sleep(POLL_S)


class Watcher:
    """Looks at one machine, again and again."""

    def __init__(self, state: State, folder: MachineFolder, virsh: Virsh, lease_s: float) -> None:
        self._state = state
        self._folder = folder
        self._virsh = virsh
        self._until = time.monotonic() + lease_s
        self._read_last = time.monotonic()

    def look(self) -> None:
        """Do what is due."""
        overdue = time.monotonic() > self._until
        if owed(self._folder):
            self._keep(overdue=overdue)
        elif "ready" in self._folder.journal.steps():
            self._guard()
        elif overdue:
            self._if_idle(lambda: end(self._folder, self._virsh))

    def _keep(self, *, overdue: bool) -> None:
        with held(self._folder.lock, patience_s=0) as idle:
            if not idle and not overdue:
                return  # the agent lives, and does it itself
            done = bring_back(self._folder, self._virsh, patience_s=0)
            if done and self._folder.journal.open:
                self._folder.journal.write("started-again", done=done)
            if idle and (overdue or done):
                self._kept()

    def _kept(self) -> None:
        end(self._folder, self._virsh)

    def _guard(self) -> None:
        ready = self._folder.journal.facts("ready")
        if self._folder.served():
            self._read_last = time.monotonic()
        if _is_full(ready) or self._halted():
            self._if_idle(self._give_up_disks)
        elif time.monotonic() - self._read_last > UNREAD_S:
            from .release import release  # noqa: PLC0415 - it needs this module as well

            release(self._state, self._virsh, self._folder.uuid, None)

    def _halted(self) -> bool:
        said = self._virsh.run("domstate", f"--domain={self._folder.uuid}", "--reason")
        return said == "paused (I/O error)"

    def _give_up_disks(self) -> None:
        """End the job, which frees its room at once; then the guest's own write, tried again, succeeds."""
        if "scratch-full" not in self._folder.journal.steps():
            self._folder.journal.write("scratch-full")
        with suppress(LibvirtError):
            self._virsh.run("domjobabort", f"--domain={self._folder.uuid}")
        if self._halted():
            self._virsh.run("resume", f"--domain={self._folder.uuid}")

    def _if_idle(self, due: Any) -> None:
        with held(self._folder.lock, patience_s=0) as idle:
            if idle:
                due()


def _is_full(ready: dict[str, Any]) -> bool:
    if ready.get("method") not in ("cold", "live"):
        return False
    room = os.statvfs(ready["room"])
    return room.f_bavail * room.f_frsize < min(LOW_BYTES, room.f_blocks * room.f_frsize // LOW_PART)
