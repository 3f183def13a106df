"""A KVM host, operated by the agent that is installed there. Each call is one command over SSH."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from include.errors import (
    BackupError,
    HostError,
    HostNotReadyError,
    ImageGoneError,
    RescheduleError,
    VmDisksChangedError,
    VmNotBackError,
    VmNotImagedError,
    VmNotPossibleError,
    VmNotRestoredError,
    VmNotStoppedError,
    VmNotThawedError,
    VmWithheldError,
)
from include.models import Model
from include.remote import zipapps
from include.remote.failures import killing_signal
from include.remote.program import parsed
from include.remote.transport import CommandResult, Transport
from include.shapes import ShapeError, brief, field_of, mismatch
from include.vms.models import (
    BackupRequest,
    BegunBackup,
    BegunOnHost,
    EndedBackup,
    HostSurvey,
    KeptReference,
    ReferenceLabel,
)
from include.vms.restore_models import RestoreCheck, SwapResult, VmRestoreOrder

_NO_SUCH_COMMAND = 127  # a POSIX shell's exit status for a command it can't find
_NOT_INSTALLED = 9
_BUSY = 3
_Result = TypeVar("_Result", bound=Model)
_REFUSALS: dict[int, type[BackupError]] = {
    4: VmNotPossibleError,
    5: VmNotStoppedError,
    6: VmNotImagedError,
    7: VmNotBackError,
    8: HostNotReadyError,
    9: ImageGoneError,
    10: VmNotRestoredError,
    11: VmWithheldError,
    12: VmDisksChangedError,
    13: VmNotThawedError,
}
"""The errors that the agent's exit statuses mean (``include/agent/errors.py``)."""


@dataclass(frozen=True)
class Host:
    """One KVM host.

    Args:
        transport: the SSH connection to it.
        uri: of libvirt there, such as ``qemu:///system``.
        state: the agent's folder there.
        scratch: the folder for what guests write during backups and boot tests; None: the agent's folder.
        disk_folders: the folders that restores may write disks to, besides those that the host knows.
    """

    transport: Transport
    uri: str
    state: str
    scratch: str | None
    disk_folders: tuple[str, ...] = field(default=(), kw_only=True)

    def survey(self) -> HostSurvey:
        """Return the VMs of the host, and what it can do; changes nothing.

        Raises:
            HostError: the host lacks something.
            HostNotReadyError: libvirt doesn't answer.
        """
        return self._call(HostSurvey, "survey", *([f"--scratch={self.scratch}"] if self.scratch else []))

    def begin_backup(self, uuid: str, request: BackupRequest) -> BegunBackup:
        """Begin the backup of a VM: its disks are kept as they are at one instant; the VM runs again.

        Another call for the same run returns the same backup; the host continues if the connection breaks.

        Raises:
            RescheduleError: another VM of the host is being stopped.
            VmNotPossibleError: it can't be done; nothing was changed.
            VmWithheldError: another VM of the host isn't seen to be back.
            VmNotStoppedError: the guest ignored the shutdown.
            VmNotImagedError: something failed; the VM is in the state it was in before.
            VmDisksChangedError: it was off, and was started meanwhile.
            VmNotBackError: it isn't seen to run again, or to be thawed.
            HostNotReadyError: libvirt doesn't answer; a retry may help.
        """
        begun = self._call(BegunOnHost, "begin-backup", uuid, request=request.model_dump(mode="json"))
        return begun.seen_at(datetime.now(UTC))

    def end_backup(self, uuid: str, run: str) -> EndedBackup:
        """End a run's backup of a VM and restore the VM's state; another run's backup is left open.

        Raises:
            RescheduleError: the backup is just being begun, or its clones are kept.
            VmNotBackError: the VM can't be made to run again.
        """
        return self._call(EndedBackup, "end-backup", f"--run={run}", "--", uuid)

    def keep_reference(self, uuid: str, label: ReferenceLabel) -> KeptReference:
        """Keep the clones of an open backup for the VM's next one, in place of those before.

        Raises:
            BackupError: the host can't be reached, or refuses.
        """
        return self._call(KeptReference, "keep-reference", uuid, request=label.model_dump(mode="json"))

    def drop_reference(self, uuid: str, why: str) -> KeptReference:
        """Remove the clones that wait for a VM's next backup, if there are any; ``why`` is a phrase."""
        return self._call(KeptReference, "drop-reference", f"--why={why}", "--", uuid)

    def check_restore(self, request: VmRestoreOrder) -> RestoreCheck:
        """Check whether a restore is possible, and how far it got in an earlier try; changes nothing.

        Raises:
            VmNotPossibleError: something prevents it; the message says what.
            RescheduleError: the VM is being imaged.
        """
        return self._call(RestoreCheck, "check-restore", request=request.model_dump(mode="json"))

    def swap(self, request: VmRestoreOrder) -> SwapResult:
        """Swap a VM's disks, firmware and definition for the restored ones; resumes where it was interrupted.

        Raises:
            VmNotPossibleError: something prevents it; nothing was changed.
            VmNotRestoredError: it was interrupted; the message says what each disk contains.
            RescheduleError: another process works on the VM.
        """
        return self._call(SwapResult, "swap", request=request.model_dump(mode="json"))

    def interrupted_restore(self, uuid: str) -> str:
        """Return what each disk of a VM contains after an interrupted restore; empty without one."""
        return str(self._status(uuid).get("restore", ""))

    def has_begun(self, uuid: str, run: str) -> bool:
        """Return whether a run's backup of a VM is open, or being begun."""
        status = self._status(uuid)
        return status.get("run") == run and (status.get("step") == "ready" or bool(status.get("busy")))

    def _status(self, uuid: str) -> dict[str, Any]:
        result = self._run("status")
        if result.status:
            raise self._refusal(result)
        answer = parsed(result.output, self.transport.ssh_conn_id, HostError)
        try:
            return _vm_status(answer, uuid)
        except ShapeError as wrong:
            raise self._invalid(str(wrong)) from wrong

    def command(self, *words: str) -> str:
        """Return the command line of one of the agent's commands, quoted for the host's shell."""
        return shlex.join(["python3", self._agent_path, f"--uri={self.uri}", f"--state={self.state}", *words])

    def install_agent(self) -> Self:
        """Install the agent, unless the host has this version; other versions stay, as they may still run."""
        folder, content = shlex.quote(self.state), zipapps.agent().content
        listed = shlex.quote(f"{hashlib.sha256(content).hexdigest()}  {self._agent_path}")
        check = f"echo {listed} | sha256sum --check --status 2>/dev/null"
        result = self.transport.run(f"{check} || {{ mkdir -p -m 711 -- {folder} && exit {_NOT_INSTALLED}; }}")
        if result.status == _NOT_INSTALLED:
            self.transport.put(self._agent_path, content)
        elif result.status:
            raise HostError(
                f"{self.transport.ssh_conn_id}: {self.state} can't be created there: {result.errors}"
            )
        return self

    @property
    def _agent_path(self) -> str:
        return f"{self.state}/{zipapps.agent().name}"

    def _call(self, model: type[_Result], *words: str, request: dict[str, Any] | None = None) -> _Result:
        return self.answer(model, self._run(*words, request=request))

    def answer(self, model: type[_Result], result: CommandResult) -> _Result:
        """Parse the agent's output.

        Raises:
            BackupError: the agent refused; its exit status decides which error.
            HostError: the output isn't of this model.
        """
        if result.status:
            raise self._refusal(result)
        parsed(result.output, self.transport.ssh_conn_id, HostError)
        try:  # from JSON: refuses text that can't be written again
            return model.model_validate_json(result.output)
        except ValidationError as wrong:
            raise self._invalid(mismatch(wrong)) from wrong

    def _invalid(self, wrong: str) -> HostError:
        return HostError(
            f"{self.transport.ssh_conn_id}: invalid answer from the agent: {wrong}. Nothing was made of it. "
            "Find out what changes the agent's output there, or who."
        )

    def _run(self, *words: str, request: dict[str, Any] | None = None) -> CommandResult:
        self.install_agent()
        return self.transport.run(self.command(*words), json.dumps(request or {}).encode())

    def _refusal(self, result: CommandResult) -> BackupError:
        host = self.transport.ssh_conn_id
        if result.status == _NO_SUCH_COMMAND:
            return HostError(f"{host} has no python3 on its PATH: {result.errors}")
        if not result.output.strip():
            error = HostNotReadyError if killing_signal(result.status) else HostError
            return error(
                f"{host}: the agent ended with status {result.status}: {result.errors or 'no message'}"
            )
        answer = parsed(result.output, host, HostError)
        return refusal(
            {**answer, "message": f"{answer.get('message')} (host {host})", "status": result.status}
        )


def _vm_status(answer: Mapping[str, Any], uuid: str) -> dict[str, Any]:
    """Return the status of a VM; empty if the agent knows nothing of it."""
    for vm in field_of(answer, "vms", list):
        if type(vm) is not dict:
            raise ShapeError(f"a VM is {brief(vm)}")
        if vm.get("uuid") == uuid:
            return vm
    return {}


def refusal(answer: Mapping[str, object]) -> BackupError:
    """Return the error that an agent's refusal means.

    Args:
        answer: its ``message``, and the agent's exit ``status`` for it.
    """
    message, status = str(answer.get("message")), answer.get("status")
    if status == _BUSY:
        return RescheduleError(message)
    return (_REFUSALS.get(status, HostError) if isinstance(status, int) else HostError)(message)
