"""The watcher: the process that keeps a lease, and nobody's child.

It does nothing while the agent works. When the agent is gone and left the freeze half done, it puts
everything back; when the agent takes too long, it makes the machine run. Later it guards the frozen disks: a
guest must not halt because the room for them is full, and disks that nobody reads any more aren't held for
ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from . import lease
from .errors import LibvirtError
from .folder import MachineFolder, State, held, read_json, write_json
from .release import release
from .scratch import usable_bytes
from .virsh import Virsh

UNREAD_S = 2 * 3600.0  # frozen disks that nobody read for so long are given up
GUARD_S = 2.0  # between two looks at a guest whose disks are frozen: a guest may halt for so long


def watch(state: State, virsh: Virsh, uuid: str, token: str) -> None:
    """Watch, until the lease is somebody else's or gone. This is the whole life of the watcher's process."""
    folder = state.of(uuid)
    with held(folder.lease_lock, patience_s=60.0) as mine:  # an older watcher goes within a moment
        found = read_json(folder.lease)
        if not mine or found.get("token") != token:
            return
        write_json(folder.lease, {**found, "watched": token})
        watcher = Watcher(state, folder, virsh, found["lease_s"])
        while read_json(folder.lease).get("token") == token:
            with suppress(Exception):  # libvirtd may be away, the disk full: nothing ends the watch
                watcher.look()
            time.sleep(lease.POLL_S)


class Watcher:
    """Looks at one machine, again and again."""

    def __init__(self, state: State, folder: MachineFolder, virsh: Virsh, lease_s: float) -> None:
        self._state = state
        self._folder = folder
        self._virsh = virsh
        self._until = time.monotonic() + lease_s
        self._read_last = time.monotonic()
        self._guarded_last = 0.0

    def look(self) -> None:
        """Do what is due."""
        if self._folder.at_work():
            if self._overdue() and lease.owed(self._folder):  # who works at it hangs
                lease.bring_back(self._folder, self._virsh, patience_s=0)
        elif "ready" in self._folder.journal.steps():
            self._guard()
        elif lease.is_late(self._folder) and not self._folder.journal.open:
            self._if_idle(self._keep_late)
        else:  # the freeze failed, or died: nobody will use what it left
            self._release()

    def _overdue(self) -> bool:
        return time.monotonic() > self._until

    def _release(self) -> None:
        release(self._state, self._virsh, self._folder.uuid, None, back_s=0)

    def _keep_late(self) -> None:
        gone = lease.is_gone(self._virsh, self._folder.uuid)
        if gone or lease.bring_back(self._folder, self._virsh, patience_s=0) or self._overdue():
            lease.end(self._folder, self._virsh)

    def _guard(self) -> None:
        now = time.monotonic()
        if self._folder.served():
            self._read_last = now
        if now - self._read_last > UNREAD_S:
            self._release()
        elif now - self._guarded_last > GUARD_S:
            self._guarded_last = now
            if self._is_full() or self._virsh.is_halted(self._folder.uuid):
                self._if_idle(self._give_up_disks)

    def _is_full(self) -> bool:
        ready = self._folder.journal.facts("ready")
        if ready.get("method") not in ("cold", "live") or "scratch-full" in self._folder.journal.steps():
            return False
        with suppress(FileNotFoundError):
            return not usable_bytes(ready["room"])
        return False

    def _give_up_disks(self) -> None:
        """End the job, which frees its room at once; then the guest's own write, tried again, succeeds."""
        with suppress(OSError):  # the journal may lie in that very room
            self._folder.journal.write("scratch-full")
        with suppress(LibvirtError):
            self._virsh.run("domjobabort", f"--domain={self._folder.uuid}")
        if self._virsh.is_halted(self._folder.uuid):
            self._virsh.run("resume", f"--domain={self._folder.uuid}")

    def _if_idle(self, due: Callable[[], None]) -> None:
        with held(self._folder.lock, patience_s=0) as idle:
            if idle:
                due()
