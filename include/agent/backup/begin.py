"""Begin a VM's backup: its checks, the watchdog, and the snapshot of its disks (``snapshot.py``).

Whatever fails, the VM is first brought back to the state it was in; only then is the error raised.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from include.agent.backup import cloned_disks, preflight, reference_timer, watchdog
from include.agent.backup.health_check import HealthCheck
from include.agent.backup.snapshot import Snapshot
from include.agent.backup.steps import Steps
from include.agent.disks import exports
from include.agent.durable_files import fsync_all
from include.agent.errors import (
    AgentError,
    BackupNotBegunError,
    DisksChangedError,
    NotBackError,
    NotPossibleError,
    StillRunningError,
)
from include.agent.firmware import save_definition, save_firmware
from include.agent.state_folder import StateFolder, VmFolder
from include.agent.virsh import Virsh

BACK_S = 120.0  # a VM that can't be started for so long raises the alarm; its watchdog keeps trying


class BeginBackup:
    """The beginning of one VM's backup.

    Args:
        state: the agent's state folder.
        virsh: the host's libvirt.
        vm: the VM, as :func:`survey.vm_of` returns it.
        request: the caller's request, checked.
    """

    def __init__(self, state: StateFolder, virsh: Virsh, vm: dict[str, Any], request: dict[str, Any]) -> None:
        self._state = state
        self._virsh = virsh
        self._vm = vm
        self._request = request
        self._uuid: str = vm["uuid"]
        self._name: str = vm["name"]
        self._folder: VmFolder = state.of(self._uuid)
        self._steps = Steps(self._folder.journal)
        self._step = self._steps.begin
        self._warnings: list[str] = []
        self._health_check: HealthCheck | None = None
        self._snapshot = Snapshot(self._folder, virsh, vm, request, self._steps)
        late = watchdog.awaits_late_shutdown(self._folder)  # shut down by an earlier run, it should run
        self._was = "running" if late or vm["state"] == "running" else vm["state"]
        self._cloned = cloned_disks.are_possible(self._folder, vm, self._was, request["method"])
        self._method = self._choose_method(request["method"])

    def run(self) -> dict[str, Any]:
        """Begin the backup.

        Returns:
            the answer to the caller.

        Raises:
            NotPossibleError: the VM can't be backed up this way; nothing was touched.
            StillRunningError: the guest ignored the shutdown, and was left running.
            BackupNotBegunError: something failed; the VM is in the state it was in before.
            DisksChangedError: the VM was off, and was started meanwhile.
            NotBackError: the VM isn't seen to run.
        """
        try:
            self._warnings += preflight.vm(self._virsh, self._vm, self._was, self._method, self._request)
            if self._method == "live" and not self._cloned:
                preflight.backup_begin(self._virsh, self._name)
            self._warnings += preflight.saved_memory(self._vm, self._request["managed_save"])
            scratch = self._request["scratch"]
            preflight.space(self._folder, scratch, self._vm, self._method, cloned=self._cloned)
            return self._begin()
        except (NotPossibleError, StillRunningError, DisksChangedError):
            raise
        except NotBackError:
            self._record_not_back()
            raise
        except Exception as error:  # whatever failed, the VM comes first
            self._bring_back(error)
            state = "is off, as before" if self._was == "off" else "runs"
            message = f"The backup of {self._name} couldn't be started: {error} The VM {state}."
            raise BackupNotBegunError(message) from error

    def _choose_method(self, requested: str) -> str:
        if self._was == "off":
            return "offline"
        if requested == "cold" and not self._cloned and not self._virsh.supports_backup_begin():
            lacks = "This host's libvirt can't back up a running VM (backup-begin)"
            self._warnings.append(f"{lacks}, so the VM was down while its disks were copied.")
            return "copy"
        return requested

    def _begin(self) -> dict[str, Any]:
        if self._was == "running":
            self._health_check = HealthCheck(self._virsh, self._uuid, self._request["health_check"])
        checks = self._health_check.resolved() if self._health_check else None
        run = self._request["run"]
        self._step("begin", run=run, vm=self._name, was=self._was, method=self._method, health_check=checks)
        self._arm()
        self._warnings += cloned_disks.remove_left(self._folder, self._vm["disks"])
        save_definition(self._folder.files, self._virsh.xml(self._uuid))
        work_folder = self._folder.new_work_folder(self._request["scratch"])
        self._step("work_folder", work_folder=str(work_folder))
        self._folder.make_work_folder(work_folder)
        if self._cloned:
            with suppress(OSError):  # it is for clones whose watchdog a reboot ends
                reference_timer.start(self._state, self._virsh)
        if self._method == "live":  # the other methods save it while the VM is off
            save_firmware(self._folder.files, self._vm)
        made = self._snapshot
        exported = exports.with_sizes(
            made.make(self._method, work_folder, self._health_check, cloned=self._cloned)
        )
        ready = {"method": self._method, "cloned": self._cloned, "clones": made.clones, "exports": exported}
        fsync_all(self._folder.files)
        self._step("ready", work_folder=str(work_folder), fingerprints=made.fingerprints, **ready)
        return self._answer(exported)

    def _arm(self) -> None:
        self._step("watchdog")
        request = self._request
        watchdog.arm(self._state, self._folder, self._virsh, request["run"], request["watchdog_s"])
        if self._was == "running":
            self._step("autostart")  # so that the VM runs again if the host reboots; end-backup undoes it
            self._virsh.set_autostart(self._uuid, on=True)

    def _bring_back(self, failure: Exception) -> None:
        """Make the VM run again after a failure; if that takes too long, its watchdog keeps trying.

        Raises:
            NotBackError: it doesn't run.
        """
        check = self._health_check
        if check is None or not (self._folder.journal.open and watchdog.must_run(self._folder)):
            return
        try:
            done = watchdog.bring_back(self._folder, self._virsh, BACK_S)
            self._try_step("started-again", done=done)
            check.wait()
            self._try_step("back")
        except AgentError as error:
            self._record_not_back()
            message = f"{self._name} isn't seen to run. First error: {failure} Last error: {error}"
            raise NotBackError(message) from error

    def _record_not_back(self) -> None:
        with suppress(OSError):  # the alarm itself needs no disk
            self._folder.record_not_back()

    def _try_step(self, name: str, **data: Any) -> None:
        with suppress(OSError):  # the VM runs, even if the disk is too full to record it
            self._step(name, **data)

    def _answer(self, exported: list[dict[str, Any]]) -> dict[str, Any]:
        size = {export["disk"]: export["bytes"] for export in exported}
        disks = [
            {**{key: disk[key] for key in ("name", "format", "path", "qcow2")}, "bytes": size[disk["name"]]}
            for disk in self._vm["disks"]
        ]
        return {
            "run": self._request["run"],
            "vm": self._name,
            "uuid": self._uuid,
            "method": self._method,
            "cloned": self._cloned,
            "not_cloned": "" if self._cloned else self._vm["unclonable"],
            "was": self._was,
            "steps": self._steps.timed(),
            "downtime_s": self._steps.downtime_s(),
            "stopped": self._snapshot.stopped,
            "health_check": self._snapshot.health,
            "instant": self._snapshot.instant,
            "disks": disks,
            "left_out": self._vm["left_out"],
            "warnings": [*self._warnings, *self._snapshot.warnings],
        }
