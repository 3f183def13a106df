"""The watchdog's process. It outlives the agent that started it.

While the agent works, it does nothing, unless the agent takes too long: then it makes the VM run. If the
agent died half-way, it ends the backup and cleans up. Once the backup is open, it guards it: a guest must not
stay paused because its scratch space is full, a backup that nobody reads must not stay open for ever, and the
disks of a VM that was off must not be read on once it was started.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from include.agent.backup import cloned_disks, freeze, offline, references, watchdog
from include.agent.backup.end import end_backup, end_exports
from include.agent.backup.scratch import usable_bytes
from include.agent.durable_files import write_json
from include.agent.errors import DisksChangedError, LibvirtError
from include.agent.state_folder import StateFolder, VmFolder, locked, read_json
from include.agent.virsh import Virsh

UNREAD_S = 2 * 3600.0  # a backup that nobody has read for so long is ended
UNREAD_CLONES_S = 24 * 3600.0  # clones are needed until the whole image is verified, and slow no guest down
GUARD_S = 2.0  # between two questions to libvirt whether a guest is paused; the space is watched meanwhile


def watch(state: StateFolder, virsh: Virsh, uuid: str, token: str) -> None:
    """Watch until the watchdog is disarmed or another one is armed. This is all that its process does."""
    folder = state.of(uuid)
    with locked(folder.watchdog_lock, timeout_s=60.0) as is_mine:  # an older process ends within a moment
        armed = read_json(folder.watchdog)
        if not is_mine or armed.get("token") != token:
            return
        write_json(folder.watchdog, {**armed, "watched": token})
        process = Watchdog(state, folder, virsh, armed["watchdog_s"])
        while read_json(folder.watchdog).get("token") == token:
            with suppress(Exception):  # libvirtd may be away, the disk full: nothing ends the watch
                process.check()
            time.sleep(watchdog.POLL_S)


class Watchdog:
    """Checks one VM, again and again.

    Args:
        state: the agent's state folder.
        folder: the VM's folder.
        virsh: the host's libvirt.
        watchdog_s: the seconds until it makes the VM run although the agent is working.
    """

    def __init__(self, state: StateFolder, folder: VmFolder, virsh: Virsh, watchdog_s: float) -> None:
        self._state = state
        self._folder = folder
        self._virsh = virsh
        self._until = time.monotonic() + watchdog_s
        self._read_last = self._not_suspended_last = time.monotonic()
        self._guarded_last = 0.0

    def check(self) -> None:
        """Check the VM once, and do what is due."""
        if self._folder.is_busy():
            if (self._expired() or self._is_stuck()) and watchdog.must_run(self._folder):  # the agent hangs
                watchdog.bring_back(self._folder, self._virsh, timeout_s=0)
            elif cloned_disks.are_crowded(self._folder):  # while the agent waits for the guest, say
                cloned_disks.drop(self._folder)
        elif "ready" in self._folder.journal.steps():
            self._guard()
        elif watchdog.awaits_late_shutdown(self._folder) and not self._folder.journal.open:
            self._if_idle(self._restart_late)
        else:  # the backup failed to begin, or its process died: nobody will use what is left
            if freeze.may_be_frozen(self._folder):
                self._thaw_unlocked()
            self._end_backup()

    def _expired(self) -> bool:
        return time.monotonic() > self._until

    def _is_stuck(self) -> bool:
        """Return whether the VM has been suspended for longer than its agent would try to resume it."""
        if not watchdog.is_suspended(self._folder):
            self._not_suspended_last = time.monotonic()
        return time.monotonic() - self._not_suspended_last > watchdog.UNDO_S

    def _end_backup(self) -> None:
        end_backup(self._state, self._virsh, self._folder.uuid, None, back_s=0)

    def _thaw_unlocked(self) -> None:
        """Try to thaw the guest; its agent may take long to answer, and others may end the backup meanwhile.

        Raises:
            LibvirtError: it isn't seen to be thawed.
        """
        if watchdog.is_undefined(self._virsh, self._folder.uuid):
            return
        try:
            watchdog.bring_back(self._folder, self._virsh, timeout_s=0)
        except LibvirtError:
            end_exports(self._folder, self._virsh)
            raise

    def _restart_late(self) -> None:
        undefined = watchdog.is_undefined(self._virsh, self._folder.uuid)
        if undefined or watchdog.bring_back(self._folder, self._virsh, timeout_s=0) or self._expired():
            watchdog.disarm(self._folder, self._virsh)

    def _guard(self) -> None:
        now = time.monotonic()
        if self._folder.is_sending():
            self._read_last = now
        cloned = self._folder.journal.entry("ready").get("cloned")
        if now - self._read_last > (UNREAD_CLONES_S if cloned else UNREAD_S):
            self._end_backup()
        elif "scratch-full" not in self._folder.journal.steps() and self._is_crowded():
            self._if_idle(self._abort_backup)
        elif now - self._guarded_last > GUARD_S:
            self._guarded_last = now
            self._guard_vm()

    def _guard_vm(self) -> None:
        if self._folder.journal.entry("ready").get("fingerprints"):
            self._guard_offline()
        elif self._virsh.is_paused_on_io_error(self._folder.uuid):
            self._if_idle(self._abort_backup)

    def _guard_offline(self) -> None:
        try:
            offline.require_unchanged(self._virsh, self._folder, self._folder.journal.entry("ready"))
        except DisksChangedError as error:
            changed = error
            self._if_idle(lambda: offline.end_export(self._folder, changed))

    def _is_crowded(self) -> bool:
        """Return whether what the guest overwrites has nearly filled the host's file system."""
        ready = self._folder.journal.entry("ready")
        if ready.get("cloned"):
            return cloned_disks.are_crowded(self._folder)
        if ready.get("method") not in ("cold", "live"):
            return False
        with suppress(FileNotFoundError):
            return not usable_bytes(ready["work_folder"])
        return False

    def _abort_backup(self) -> None:
        """End the backup's job or clones, which frees their space; the guest's failed write then succeeds."""
        if "scratch-full" not in self._folder.journal.steps():
            with suppress(OSError):  # the journal may be on the same full disk
                self._folder.journal.write("scratch-full")
        if self._folder.clone_folders():  # another job may be somebody else's, such as a migration
            cloned_disks.drop(self._folder)
            references.drop(self._folder, "its file system was nearly full")
        else:
            with suppress(LibvirtError):
                self._virsh.run("domjobabort", f"--domain={self._folder.uuid}")
        watchdog.resume_paused(self._virsh)

    def _if_idle(self, action: Callable[[], None]) -> None:
        with locked(self._folder.lock, timeout_s=0) as idle:
            if idle:
                action()
