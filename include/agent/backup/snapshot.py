"""The snapshot of a VM's disks: fixed at one instant, and exported, by each method.

    cold     shut down, clone, start; or start paused, backup-begin, resume: down for as long as a restart
    live     freeze the file systems for a moment: backup-begin, never down; or suspend, clone, resume
    copy     shut down, copy, start: for libvirts without backup-begin; down for as long as the copy takes
    offline  the VM is off, and stays off; its disks are cloned where they can be

A failure leaves the VM as it is at that moment: ``begin`` brings it back.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from include.agent.backup import cloned_disks, offline, watchdog
from include.agent.backup.freeze import GuestFreeze
from include.agent.backup.health_check import HealthCheck
from include.agent.backup.pause import GuestPause
from include.agent.backup.preflight import NEITHER
from include.agent.backup.shutdown import shut_down
from include.agent.backup.steps import Steps
from include.agent.disks import clones, exports
from include.agent.domain import Domain
from include.agent.errors import (
    BackupNotBegunError,
    DisksChangedError,
    LibvirtError,
    NotPossibleError,
    StillRunningError,
)
from include.agent.firmware import save_firmware
from include.agent.journal import now
from include.agent.state_folder import VmFolder
from include.agent.virsh import Virsh

WATCHDOG_SPARE_S = 15.0  # a copy ends so long before the watchdog would start the VM


class Snapshot:
    """The snapshot of one VM's disks.

    Args:
        folder: the VM's folder.
        virsh: the host's libvirt.
        vm: the VM, as :func:`survey.vm_of` returns it.
        request: the caller's request, checked.
        steps: the steps of its backup.

    Attributes:
        instant: when the disks were as they are in it, in ISO 8601.
        stopped: how the guest was stopped.
        health: which checks have passed, as a sentence.
        warnings: sentences for the report.
        fingerprints: of the disks, where the VM is off and they are read themselves.
        clones: the labels of the clones, where the disks were cloned.
    """

    def __init__(
        self, folder: VmFolder, virsh: Virsh, vm: dict[str, Any], request: dict[str, Any], steps: Steps
    ) -> None:
        self._folder = folder
        self._virsh = virsh
        self._vm = vm
        self._request = request
        self._uuid: str = vm["uuid"]
        self._name: str = vm["name"]
        self._steps = steps
        self._step = steps.begin
        self.instant, self.health = "", "It wasn't stopped."
        self.stopped = "saved" if vm["saved"] else "not stopped"
        self.warnings: list[str] = []
        self.fingerprints: list[dict[str, Any]] = []
        self.clones: list[dict[str, Any]] = []

    def make(
        self, method: str, work_folder: Path, check: HealthCheck | None, *, cloned: bool
    ) -> list[dict[str, Any]]:
        """Make the snapshot, and have the VM as it was before.

        Args:
            method: ``cold``, ``live``, ``copy`` or ``offline``.
            work_folder: for sockets, scratch files and copies.
            check: what must be seen once it runs again; None: it is off.
            cloned: whether the disks are cloned.

        Returns:
            ``disk``, ``socket`` and ``export`` of each disk.

        Raises:
            AgentError: it can't be made.
        """
        self._work_folder = work_folder
        if cloned:
            return self._clone_live(check) if check and method == "live" else self._clone(check)
        if check is None:
            return self._offline()
        return {"cold": self._cold, "live": self._live, "copy": self._copy}[method](check)

    def _cold(self, check: HealthCheck) -> list[dict[str, Any]]:
        self._step("rehearse")
        exports.rehearse(self._virsh, self._vm, self._work_folder)
        self._stop()
        self._step("start-paused")
        self._virsh.run("start", f"--domain={self._uuid}", "--paused")
        self._step("backup-begin")
        try:
            exported: list[dict[str, Any]] | LibvirtError = exports.begin_backup(
                self._virsh, self._vm, self._work_folder
            )
            if (state := self._virsh.state(self._uuid)) != "paused":
                exported = LibvirtError(f"Something resumed it before its backup was begun (it is {state}).")
        except LibvirtError as error:
            exported = error  # raised once the VM is resumed
        self._step("resume")
        self._virsh.run("resume", f"--domain={self._uuid}")
        self._check_health(check)
        if isinstance(exported, LibvirtError):
            raise exported
        return exported

    def _live(self, check: HealthCheck) -> list[dict[str, Any]]:
        with GuestFreeze(self._folder, self._virsh, self._step, self._undo_s()) as guest:
            self.instant = now()
            self._step("backup-begin")
            exported = exports.begin_backup(self._virsh, self._vm, self._work_folder)
            guest.check()
        self.warnings += guest.warnings
        self._check_health(check)
        return exported

    def _clone_live(self, check: HealthCheck) -> list[dict[str, Any]]:
        cloned = cloned_disks.ClonedDisks(self._folder, self._vm["disks"])
        cloned.make_folders(self._steps)
        clones.flush(self._vm["disks"])
        self._require_not_paused()
        within = (self._folder, self._virsh, self._step, self._undo_s())
        with GuestFreeze(*within) as guest:
            self._require_not_paused()  # again: a freeze may take a minute
            with GuestPause(*within) as pause:
                self.stopped, self.instant = "suspended", now()
                self._step("clone")
                usable = cloned.make(lambda: pause.holds() and self._has_same_disks())
            guest.check()  # an agent doesn't answer while its guest is suspended
        if not usable:
            raise BackupNotBegunError(
                f"{self._name} was resumed, or a disk written to or replaced, while its disks were cloned."
            )
        self.warnings += guest.warnings
        self._check_health(check)
        return self._export_clones(cloned)

    def _require_not_paused(self) -> None:
        """Check that nobody has paused the VM since it was surveyed, who wouldn't want it to be resumed."""
        if (state := self._virsh.state(self._uuid)) == "paused":
            self._step(watchdog.LEFT_PAUSED)
            raise NotPossibleError(f"{self._name} is {state}, {NEITHER}")

    def _has_same_disks(self) -> bool:
        """Return whether libvirt names the disks of the survey: a snapshot replaces their files."""
        found = Domain(self._virsh.xml(self._uuid, inactive=False)).disks
        return [(disk["name"], disk["path"]) for disk in found] == [
            (disk["name"], disk["path"]) for disk in self._vm["disks"]
        ]

    def _undo_s(self) -> float:
        return min(watchdog.UNDO_S, float(self._request["watchdog_s"]))

    def _copy(self, check: HealthCheck) -> list[dict[str, Any]]:
        self._stop()
        before = offline.fingerprints(self._vm["disks"])
        self._step("copy")
        deadline = time.monotonic() + self._request["watchdog_s"] - WATCHDOG_SPARE_S
        disks, folder = self._vm["disks"], self._work_folder
        copies = [exports.copy(disk, folder, deadline - time.monotonic()) for disk in disks]
        if self._virsh.is_active(self._uuid) or offline.fingerprints(disks) != before:
            raise BackupNotBegunError("It was started, or a disk written to, while its disks were copied.")
        self._step("start")
        self._virsh.run("start", f"--domain={self._uuid}")
        self._check_health(check)
        return exports.start_nbd_servers(copies, folder)

    def _clone(self, check: HealthCheck | None) -> list[dict[str, Any]]:
        cloned = cloned_disks.ClonedDisks(self._folder, self._vm["disks"])
        cloned.make_folders(self._steps)
        if check:
            self._stop()
        else:
            self._hold_off()
        self._step("clone")
        if not cloned.make(lambda: not self._virsh.is_active(self._uuid) and self._has_same_disks()):
            changed = BackupNotBegunError if check else DisksChangedError
            raise changed(
                f"{self._name} was started, or a disk written to or replaced, while its disks were cloned."
            )
        if check:
            self._step("start")
            self._virsh.run("start", f"--domain={self._uuid}")
            self._check_health(check)
        return self._export_clones(cloned)

    def _export_clones(self, cloned: cloned_disks.ClonedDisks) -> list[dict[str, Any]]:
        self._step("sync")
        self.clones = cloned.sync()
        return cloned.export(self._work_folder)

    def _offline(self) -> list[dict[str, Any]]:
        self.fingerprints = offline.fingerprints(self._vm["disks"])
        self._step("export")
        self._hold_off()
        return exports.start_nbd_servers(self._vm["disks"], self._work_folder, shared=True)

    def _hold_off(self) -> None:
        self.instant = now()
        save_firmware(self._folder.files, self._vm)
        self.health = "It wasn't started."
        offline.require_off(self._virsh, self._uuid, self._name)

    def _stop(self) -> None:
        self._step("shutdown")
        self.stopped = "by itself"
        if not shut_down(self._virsh, self._uuid, self._request["shutdown_timeout_s"]):
            self._destroy()
        self._step("off")
        self.instant = now()
        save_firmware(self._folder.files, self._vm)

    def _destroy(self) -> None:
        waited = f"{self._request['shutdown_timeout_s']:.0f} s"
        if self._request["on_timeout"] == "leave":
            self._step("left-running")
            raise StillRunningError(
                f"{self._name} didn't shut down within {waited}, and was left running. "
                "Should it still shut down, its watchdog starts it again."
            )
        self._step("destroy")
        self.stopped = "destroyed"
        self.warnings.append(f"It ignored the shutdown for {waited} and was switched off.")
        self._virsh.run("destroy", f"--domain={self._uuid}")

    def _check_health(self, check: HealthCheck) -> None:
        self._step("verify")
        self.health = check.wait()
        self._step("back")
