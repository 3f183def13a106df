"""Freezing a machine's disks at one instant, with the machine running again at once.

    cold     shutdown, start paused, backup-begin, resume: down as long as a restart takes
    live     file systems held still for a moment, backup-begin: never down
    copy     shutdown, copy, start: where libvirt can't do backup-begin; down as long as the copy takes
    offline  the machine is off, and stays off

Whatever fails, the machine does afterwards what it did before; only then it's said what failed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from . import check, exports, lease
from .errors import (
    AgentError,
    LibvirtError,
    NotBackError,
    NotFrozenError,
    NotPossibleError,
    StillRunningError,
)
from .folder import MachineFolder, State
from .journal import now
from .kept import keep_definition, keep_firmware
from .proof import Signs
from .steps import Steps
from .virsh import Virsh

POLL_S = 0.1
ASK_AGAIN_S = 10.0  # a guest that was just booting doesn't hear its power button
BACK_S = 120.0  # a machine that can't be started for so long is an alarm, though it's tried on
LEASE_SPARE_S = 15.0  # a copy ends so long before the lease starts the machine on its own


class Freeze:
    """One machine's freeze.

    Args:
        state: the agent's folder.
        virsh: the host's libvirt.
        machine: what :func:`survey.machine_of` found.
        request: what was asked for.
    """

    def __init__(self, state: State, virsh: Virsh, machine: dict[str, Any], request: dict[str, Any]) -> None:
        self._state = state
        self._virsh = virsh
        self._machine = machine
        self._request = request
        self._uuid: str = machine["uuid"]
        self._name: str = machine["name"]
        self._folder: MachineFolder = state.of(self._uuid)
        self._steps = Steps(self._folder.journal)
        self._warnings: list[str] = []
        self._stopped = "not stopped"
        self._proof = "It wasn't stopped."
        self._instant = ""
        self._signs: Signs | None = None
        late = lease.is_late(self._folder)  # it was asked to stop, and yet to run
        self._was = "running" if late or machine["state"] == "running" else machine["state"]
        self._method = self._chosen(request["method"])

    def run(self) -> dict[str, Any]:
        """Freeze it.

        Returns:
            the answer.

        Raises:
            NotPossibleError: it can't be done; nothing was touched.
            StillRunningError: the guest ignored the shutdown.
            NotFrozenError: something failed; the machine does what it did before.
            NotBackError: the machine isn't proven to be back.
        """
        try:
            check.machine(self._virsh, self._machine, self._was, self._method)
            check.room(self._folder, self._request["scratch"], self._machine, self._method)
            return self._frozen()
        except (NotPossibleError, StillRunningError):
            raise
        except NotBackError:
            self._say_not_back()
            raise
        except Exception as error:  # whatever it is, the machine comes first
            self._bring_back(error)
            does = "is off, as before" if self._was == "off" else "runs"
            raise NotFrozenError(f"{self._name} couldn't be frozen: {error} It {does}.") from error

    def _chosen(self, wanted: str) -> str:
        if self._was == "off":
            return "offline"
        if wanted == "cold" and not self._virsh.images_running_machines():
            self._warnings.append(
                "This host's libvirt can't image a running machine (backup-begin), so that it was down "
                "while its disks were copied."
            )
            return "copy"
        return wanted

    def _frozen(self) -> dict[str, Any]:
        if self._was == "running":
            self._signs = Signs(self._virsh, self._uuid, self._request["proof"])
        self._step("begin", run=self._request["run"], machine=self._name, was=self._was, method=self._method)
        self._arm()
        keep_definition(self._folder.kept, self._virsh.xml(self._uuid))
        self._room = self._folder.new_room(self._request["scratch"])
        self._step("room", room=str(self._room))
        self._folder.make_room(self._room)
        served = exports.measured(self._served(self._signs))
        self._step("ready", room=str(self._room), method=self._method, exports=served)
        return self._answer(served)

    def _served(self, signs: Signs | None) -> list[dict[str, Any]]:
        if signs is None:
            return self._offline()
        return {"cold": self._cold, "live": self._live, "copy": self._copied}[self._method](signs)

    def _cold(self, signs: Signs) -> list[dict[str, Any]]:
        self._rehearse()
        self._stop()
        self._step("start-paused")
        self._virsh.run("start", f"--domain={self._uuid}", "--paused")
        self._step("backup-begin")
        try:
            served: list[dict[str, Any]] | LibvirtError = self._begin_backup()
            if (state := self._virsh.state(self._uuid)) != "paused":
                served = LibvirtError(f"Somebody let it go on before its disks were held (it's {state}).")
        except LibvirtError as error:
            served = error  # first it's resumed, then complained
        self._step("resume")
        self._virsh.run("resume", f"--domain={self._uuid}")
        self._prove(signs)
        if isinstance(served, LibvirtError):
            raise served
        return served

    def _rehearse(self) -> None:
        """See that libvirt can hold the disks here, and we can read them, before the machine is stopped.

        Raises:
            NotPossibleError: it can't; says why.
            LibvirtError: it can't be asked.
        """
        self._step("rehearse")
        try:
            exports.measured(self._begin_backup())
            exports.end(self._virsh, self._uuid, str(self._room))
        except (LibvirtError, NotFrozenError) as error:
            self._virsh.uuids()  # libvirt answers: it isn't just away
            raise NotPossibleError(
                f"{self._name} wasn't stopped, since its disks can't be held in {self._room.parent}: {error} "
                "Where a security module such as AppArmor forbids QEMU that, allow it."
            ) from error

    def _live(self, signs: Signs) -> list[dict[str, Any]]:
        self._step("fsfreeze")
        try:
            self._virsh.run("domfsfreeze", f"--domain={self._uuid}")
        except LibvirtError as error:
            self._warnings.append(
                f"Its file systems weren't held still, so that they are as after a power cut: {error}"
            )
        try:
            self._instant = now()
            self._step("backup-begin")
            served = self._begin_backup()
        finally:
            lease.thaw(self._folder, self._virsh)
            self._step("thaw")
        self._prove(signs)
        return served

    def _copied(self, signs: Signs) -> list[dict[str, Any]]:
        self._stop()
        self._step("copy")
        deadline = time.monotonic() + self._request["lease_s"] - LEASE_SPARE_S
        disks = self._machine["disks"]
        copies = [exports.copy(disk, self._room, deadline - time.monotonic()) for disk in disks]
        if (state := self._virsh.state(self._uuid)) != "shut off":
            raise NotFrozenError(f"It didn't stay off while its disks were copied; it is {state}.")
        self._step("start")
        self._virsh.run("start", f"--domain={self._uuid}")
        self._prove(signs)
        return exports.serve_files(copies, self._room)

    def _offline(self) -> list[dict[str, Any]]:
        keep_firmware(self._folder.kept, self._machine)
        self._instant = now()
        self._step("serve")
        self._proof = "It was off, and is."
        return exports.serve_files(self._machine["disks"], self._room)

    def _arm(self) -> None:
        self._step("lease")
        lease.arm(self._state, self._folder, self._virsh, self._request["run"], self._request["lease_s"])
        if self._was == "running":
            self._step("autostart")
            self._virsh.set_autostart(
                self._uuid, on=True
            )  # until the release: a host that reboots brings it up

    def _stop(self) -> None:
        self._step("shutdown")
        self._stopped = "by itself"
        if not self._goes_off():
            self._destroy()
        self._step("off")
        self._instant = now()
        keep_firmware(self._folder.kept, self._machine)

    def _goes_off(self) -> bool:
        """Ask the guest to shut down, and wait for it; libvirtd may be away meanwhile."""
        deadline = time.monotonic() + self._request["shutdown_timeout_s"]
        ask_at = 0.0
        while time.monotonic() < deadline:
            with suppress(LibvirtError):
                if self._virsh.state(self._uuid) == "shut off":
                    return True
                if time.monotonic() >= ask_at:
                    self._virsh.run("shutdown", f"--domain={self._uuid}")
                    ask_at = time.monotonic() + ASK_AGAIN_S
            time.sleep(POLL_S)
        return False

    def _destroy(self) -> None:
        waited = f"{self._request['shutdown_timeout_s']:.0f} s"
        if self._request["on_timeout"] == "leave":
            self._step("left-running")
            raise StillRunningError(
                f"{self._name} didn't shut down within {waited}, and was left running. "
                f"Should it go down late, the host starts it again."
            )
        self._step("destroy")
        self._stopped = "destroyed"
        self._warnings.append(f"It ignored the shutdown for {waited} and was switched off.")
        self._virsh.run("destroy", f"--domain={self._uuid}")

    def _begin_backup(self) -> list[dict[str, Any]]:
        keep = [disk["name"] for disk in self._machine["disks"]]
        return exports.begin_backup(self._virsh, self._uuid, keep, self._room)

    def _prove(self, signs: Signs) -> None:
        self._step("prove")
        self._proof = signs.wait()
        self._step("back")

    def _bring_back(self, failed: Exception) -> None:
        """Make it run again after a failure; if it doesn't for long, the watcher tries on.

        Raises:
            NotBackError: it doesn't.
        """
        if self._signs is None or not (self._folder.journal.open and lease.owed(self._folder)):
            return
        try:
            done = lease.bring_back(self._folder, self._virsh, BACK_S)
            self._note("started-again", done=done)
            self._signs.wait()
            self._note("back")
        except AgentError as error:
            self._say_not_back()
            raise NotBackError(
                f"{self._name} isn't proven to run. It began with: {failed} Then: {error}"
            ) from error

    def _say_not_back(self) -> None:
        with suppress(OSError):  # the alarm itself needs no disk
            self._state.say_not_back(self._request["run"], self._name)

    def _note(self, name: str, **facts: Any) -> None:
        with suppress(OSError):  # the machine runs, whether or not there is room to write it down
            self._step(name, **facts)

    def _step(self, name: str, **facts: Any) -> None:
        self._steps.take(name, **facts)

    def _answer(self, served: list[dict[str, Any]]) -> dict[str, Any]:
        size = {export["disk"]: export["bytes"] for export in served}
        disks = [
            {**{key: disk[key] for key in ("name", "format", "path")}, "bytes": size[disk["name"]]}
            for disk in self._machine["disks"]
        ]
        return {
            "run": self._request["run"],
            "machine": self._name,
            "uuid": self._uuid,
            "method": self._method,
            "was": self._was,
            "steps": self._steps.timed(),
            "downtime_s": self._steps.downtime_s(),
            "stopped": self._stopped,
            "proof": self._proof,
            "instant": self._instant,
            "disks": disks,
            "warnings": self._warnings,
        }
