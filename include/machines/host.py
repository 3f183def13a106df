"""A KVM host: the agent put there, and what it's asked. Each call is one command over the host's one door."""

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from include.errors import (
    BackupError,
    HostError,
    HostNotReadyError,
    ImageGoneError,
    MachineNotBackError,
    MachineNotImagedError,
    MachineNotPossibleError,
    MachineNotRestoredError,
    MachineNotStoppedError,
    NotYetError,
)
from include.facts import Facts
from include.locks import BUSY_RETRY_S
from include.machines.facts import FreezeRequest, Frozen, Released, Survey
from include.machines.restore_facts import Checked, RestoreRequest, Swapped
from include.machines.shipped import agent_file
from include.transfer import Route

CLOCKS_DIFFER, LONGEST_WAY = timedelta(minutes=10), timedelta(days=30)
_NO_SUCH_COMMAND = 127  # a POSIX shell's exit status for a command it can't find
_NOT_THERE = 9
_BUSY = 3
_Answer = TypeVar("_Answer", bound=Facts)
_REFUSALS: dict[int, type[BackupError]] = {
    4: MachineNotPossibleError,
    5: MachineNotStoppedError,
    6: MachineNotImagedError,
    7: MachineNotBackError,
    8: HostNotReadyError,
    9: ImageGoneError,
    10: MachineNotRestoredError,
}
"""What the agent's exit statuses stand for (``include/agent/errors.py``)."""


def clock_told(instant: datetime, now: datetime) -> list[str]:
    """Say that a host's clock can't be right: generations are named after it, and kept by their names.

    Args:
        instant: when a machine was frozen, by the host's clock; a freeze may be asked for again days later.
        now: by ours.
    """
    if -CLOCKS_DIFFER <= now - instant <= LONGEST_WAY:
        return []
    return [f"The host's clock is wrong, or ours: it was frozen at {instant}, and here it is {now}."]


class Ran(NamedTuple):
    """What a command on a host came to: its exit status, and what it wrote."""

    status: int
    output: bytes
    errors: str


class HostDoor(Protocol):
    """The one way to a KVM host; Airflow's side opens it from a connection."""

    @property
    def connection(self) -> str:
        """The name of the connection."""

    @property
    def route(self) -> Route:
        """How OpenSSH gets there, for transfers."""

    def run(self, command: str, stdin: bytes = b"") -> Ran:
        """Run a command, quoted by the caller for the remote shell.

        Raises:
            SourceUnreachableError: worth another try.
            SourceRefusedError: key or host key.
        """

    def put(self, path: str, content: bytes) -> None:
        """Put a file there, whole or not at all.

        Raises:
            SourceUnreachableError: worth another try.
            HostError: it can't be written.
        """


@dataclass(frozen=True)
class Host:
    """One KVM host.

    Args:
        door: the way there.
        uri: which libvirt, such as ``qemu:///system``.
        state: the agent's folder there.
        scratch: where what guests overwrite is written; None: in the agent's folder.
    """

    door: HostDoor
    uri: str
    state: str
    scratch: str | None

    def survey(self) -> Survey:
        """Give what the host has; touches no machine.

        Raises:
            HostError: the host lacks something.
            HostNotReadyError: libvirt is away.
        """
        return self._call(Survey, "survey", request={"scratch": self.scratch})

    def freeze(self, uuid: str, request: FreezeRequest) -> Frozen:
        """Have a machine's disks held at one instant, with the machine running again at once.

        Asked again for the same run, it's the same freeze; it goes on at the host if we are cut off.

        Raises:
            NotYetError: another machine of the host has its turn.
            MachineNotPossibleError: it can't be done; nothing was touched.
            MachineNotStoppedError: the guest ignored the shutdown.
            MachineNotImagedError: something failed; the machine does what it did before.
            MachineNotBackError: it isn't proven to run again.
            HostNotReadyError: libvirt is away; another try may help.
        """
        frozen = self._call(Frozen, "freeze", uuid, request=request.model_dump(mode="json"))
        told = clock_told(frozen.instant, datetime.now(UTC))
        return frozen.model_copy(update={"warnings": (*frozen.warnings, *told)})

    def release(self, uuid: str, run: str) -> Released:
        """Put a machine back as it was; somebody else's freeze is left alone.

        Raises:
            NotYetError: its freeze is still at work.
            MachineNotBackError: it can't be made to run again.
        """
        return self._call(Released, "release", f"--run={run}", "--", uuid)

    def check_restore(self, request: RestoreRequest) -> Checked:
        """Say how a restore stands that is asked for; touches nothing.

        Raises:
            MachineNotPossibleError: something stands in its way; says what.
            NotYetError: the machine is being imaged.
        """
        return self._call(Checked, "check-restore", request=request.model_dump(mode="json"))

    def swap(self, request: RestoreRequest) -> Swapped:
        """Have a machine be what was received for it; goes on where it was cut off.

        Raises:
            MachineNotPossibleError: something stands in its way; nothing was touched.
            MachineNotRestoredError: it was cut off; says what each disk holds.
            NotYetError: somebody else is at the machine.
        """
        return self._call(Swapped, "swap", request=request.model_dump(mode="json"))

    def cut_off(self, uuid: str) -> str:
        """Say what each disk of a machine holds after a restore that was cut off; nothing, where none was."""
        found = self._read(self._ran("status"))
        told = (one.get("restore") for one in found.get("machines", ()) if one.get("uuid") == uuid)
        return " ".join(str(one) for one in told if one)

    def receive_command(self) -> str:
        """Give the command that takes disks to be restored on its standard input.

        The agent is put there first.
        """
        self._put_agent()
        return self._command("receive")

    def serve_command(self, uuid: str) -> str:
        """Give the command that serves a machine's frozen disks on its standard input and output.

        The agent is put there first: another version of it may have frozen them.
        """
        self._put_agent()
        return self._command("serve", uuid)

    def drill_command(self) -> str:
        """Give the command that boots a machine from its image; see ``include/agent/drill.py``.

        The agent is put there first.
        """
        self._put_agent()
        return self._command("drill")

    @property
    def _program(self) -> str:
        return f"{self.state}/{agent_file()[0]}"

    def _command(self, *words: str) -> str:
        return shlex.join(["python3", self._program, f"--uri={self.uri}", f"--state={self.state}", *words])

    def _call(self, answer: type[_Answer], *words: str, request: dict[str, Any] | None = None) -> _Answer:
        return self.answer(answer, self._ran(*words, request=request))

    def answer(self, answer: type[_Answer], ran: Ran) -> _Answer:
        """Take what the agent answered.

        Raises:
            BackupError: it refused; as its exit status says.
            HostError: it answered something else.
        """
        if ran.status:
            raise self._refusal(ran)
        self._read(ran)
        try:
            return answer.model_validate_json(ran.output)  # as JSON: no text that can't be written again
        except ValueError as wrong:
            raise HostError(f"{self.door.connection} answered with other facts: {wrong}") from wrong

    def _ran(self, *words: str, request: dict[str, Any] | None = None) -> Ran:
        self._put_agent()
        return self.door.run(self._command(*words), json.dumps(request or {}).encode())

    def _put_agent(self) -> None:
        """Put the agent there, unless the host has this very one; what runs of an older one goes on."""
        folder, content = shlex.quote(self.state), agent_file()[1]
        listed = shlex.quote(f"{hashlib.sha256(content).hexdigest()}  {self._program}")
        there = f"echo {listed} | sha256sum --check --status 2>/dev/null"
        ran = self.door.run(f"{there} || {{ mkdir -p -m 711 -- {folder} && exit {_NOT_THERE}; }}")
        if ran.status == _NOT_THERE:
            self.door.put(self._program, content)
        elif ran.status:
            raise HostError(f"{self.door.connection}: {self.state} can't be made there: {ran.errors}")

    def _read(self, ran: Ran) -> dict[str, Any]:
        try:
            read = json.loads(ran.output)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise HostError(
                f"{self.door.connection} answered something else than facts: {ran.output[:200]!r}. "
                "Does its shell's start-up file print something?"
            )
        return read

    def _refusal(self, ran: Ran) -> BackupError:
        where = self.door.connection
        if ran.status == _NO_SUCH_COMMAND:
            return HostError(f"{where} has no python3 on its PATH: {ran.errors}")
        if not ran.output.strip():
            return HostError(
                f"{where}: the agent ended with status {ran.status}: {ran.errors or 'without a word'}"
            )
        said = self._read(ran)
        return refusal({**said, "message": f"{said.get('message')} (host {where})", "status": ran.status})


def refusal(said: Mapping[str, object]) -> BackupError:
    """Give the error that a host's refusal stands for.

    Args:
        said: its ``message``, and the agent's exit ``status`` for it.
    """
    message, status = str(said.get("message")), said.get("status")
    if status == _BUSY:
        return NotYetError(message, retry_in_s=BUSY_RETRY_S)
    return (_REFUSALS.get(status, HostError) if isinstance(status, int) else HostError)(message)
