"""Where a day is restored to: a folder here or on another host, asked and written to in one session."""

import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from include import source_agent, transfer
from include.errors import (
    BackupError,
    NotYetError,
    PassingError,
    SourceUnreachableError,
    TargetError,
    TargetOccupiedError,
)
from include.listing import Listing
from include.locks import BUSY_RETRY_S
from include.names import shown
from include.ordinal_day import FolderPattern, OrdinalDay
from include.restore import sending, target_agent
from include.restore.decision import Action, Step
from include.source import Conversation
from include.transfer import Route
from include.wording import size


class TargetDoor(Protocol):
    """The way to a target: ``LocalDoor``, or an SSH connection's."""

    @property
    def connection(self) -> str | None:
        """The name of the connection; None is this machine."""

    @property
    def route(self) -> Route | None:
        """How OpenSSH gets there, for rsync; None is this machine."""

    def converse(self, command: str, program: bytes) -> Conversation:
        """Start a command there, quoted for a POSIX shell, and send it the program that it reads first."""


@dataclass(frozen=True)
class Seen:
    """What the target holds of what is wanted.

    Args:
        day: the day's folder there, absolute and without links.
        found: how the day's folder is named there; more than one is a choice for a person.
        listing: what it holds of the wanted paths, hashed there.
        facts: all that was answered; see ``target_agent``.
    """

    day: str
    found: tuple[str, ...]
    listing: Listing
    facts: dict[str, Any]

    def require_usable(self, told: str) -> None:
        """Insist on a folder that can be restored into.

        Raises:
            TargetError: it lies in a vault, or what it lies in isn't there, or it can't be read.
            TargetOccupiedError: something else has the day's name, or two folders have it.
        """
        if self.facts["vault"] is not None:
            raise TargetError(
                f"{told} lies in the vault {shown(self.facts['vault'])}: nothing is restored there."
            )
        if not self.facts["above"]:
            raise TargetError(f"{told} lies in a folder that isn't there. Is it mounted? Else make it first.")
        if len(self.found) > 1:
            twice = " and ".join(map(shown, self.found))
            raise TargetOccupiedError(
                f"{told} has the day twice, as {twice}. Remove one, or name another folder."
            )
        if not self.facts["is_folder"]:
            raise TargetOccupiedError(f"{told} has something at {shown(self.day)} that is no folder.")
        if self.listing.unreadable:
            raise TargetError(
                f"{told}: {shown(self.listing.unreadable[0][0])} of the day can't be read there."
            )

    def require_room(self, steps: Iterable[Step], reserve_bytes: int, told: str) -> None:
        """Insist on room for what is to be sent, before anything is.

        Args:
            steps: what is to be done.
            reserve_bytes: what must be left over.
            told: what the target is called.

        Raises:
            TargetError: says how much is missing.
        """
        coming = Listing(tuple(step.entry for step in steps if step.moves))
        need = max(coming.disk_bytes - self.facts["left_bytes"], 0) if coming.entries else 0
        lacking = need + reserve_bytes - self.facts["free_bytes"]
        if need and lacking > 0:
            kept = f" and {size(reserve_bytes)} in reserve" if reserve_bytes else ""
            free = size(self.facts["free_bytes"])
            raise TargetError(
                f"{told} needs {size(need)} for the day{kept}, and has {free} free: "
                f"{size(lacking)} ({lacking:,} bytes) are missing. Nothing was written. Make room there."
            )
        if len(coming.entries) > self.facts["free_files"]:
            raise TargetError(
                f"{told} needs room for {len(coming.entries):,} more files and has it for "
                f"{self.facts['free_files']:,}. Nothing was written. Make room there."
            )


@dataclass
class Target:
    """A folder of days that is restored into; a context manager, which ends its one session.

    Args:
        door: the way there.
        root: the folder that holds the years, absolute.
        pattern: how a day's folder below it is named.
    """

    door: TargetDoor
    root: str
    pattern: FolderPattern
    _agent: Conversation | None = field(default=None, init=False)

    @property
    def told(self) -> str:
        """What people call it: ``/data/restored``, or ``cluster:/data/restored``."""
        return f"{self.door.connection}:{self.root}" if self.door.connection else self.root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._agent:
            self._agent.close()
            self._agent = None

    def survey(self, day: OrdinalDay, wanted: Listing) -> Seen:
        """See what is there of what is wanted.

        Raises:
            BackupError: it can't be asked; PassingError where another try may help.
        """
        folders = self.pattern.candidates(day)
        facts = self._ask(do="survey", root=self.root, folders=folders, wanted=_kinds(wanted))
        return Seen(facts["day"], tuple(facts["found"]), Listing.read(facts), facts)

    def receive(self, seen: Seen, folder: Path, steps: list[Step], say: Callable[[str], None]) -> Listing:
        """Have files sent into a folder of their own beside the day's; gives what arrived, hashed there.

        Args:
            seen: where to.
            folder: the vault's copy.
            steps: what is to be sent.
            say: told how far it is.

        Raises:
            NotYetError: another restore of the day is at it.
            TargetError, SourceRefusedError, SourceUnreachableError: as they say.
        """
        coming = [step.entry for step in steps if step.moves]
        kinds = _kinds(Listing(tuple(step.entry for step in steps)))
        staging: str = self._ask(do="begin", day=seen.day, wanted=kinds)["staging"]
        with self._explained(), ExitStack() as opened:
            config = opened.enter_context(transfer.connected(self.door.route)) if self.door.route else None
            into = sending.Destination(staging, self.told, config)
            sending.push(folder, [entry.path for entry in coming], into, say)
        return Listing.read(self._ask(do="hash"))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Find out why rsync failed: when its other end can't write, its words may not come through."""
        try:
            yield
        except BackupError as failed:
            if type(failed) in (BackupError, SourceUnreachableError):
                with suppress(PassingError):
                    self._ask(do="probe")
            raise

    def discard(self, paths: list[str]) -> None:
        """Drop what arrived otherwise than it was sent: the next try sends it again."""
        self._ask(do="discard", paths=paths)

    def publish(self, steps: Iterable[Step]) -> None:
        """Give what has arrived and is proven its names.

        Raises:
            TargetOccupiedError: somebody made a file of such a name just now.
            TargetError: it can't be written.
        """
        moves = [
            (step.entry.path, step.entry.kind, step.action is Action.OVERWRITE)
            for step in steps
            if step.moves
        ]
        self._ask(do="publish", steps=moves)

    def _ask(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        if not self._agent:
            self._agent = self.door.converse(_START, _PROGRAM)
        said = self._agent.ask(json.dumps(request).encode())
        try:
            reply: dict[str, Any] = json.loads(said)
        except ValueError as garbled:
            raise BackupError(
                f"{self.told} answered something else than facts: {said[:200]!r}. "
                "Does its shell's start-up file print something?"
            ) from garbled
        if "error" in reply:
            raise self._refusal(reply.get("errno", ""), reply["message"])
        return reply

    def _refusal(self, code: str, message: str) -> BackupError:
        if code == "EAGAIN":
            return NotYetError(
                f"Another restore of the day is at {self.told}; looking again in {BUSY_RETRY_S:.0f} s.",
                retry_in_s=BUSY_RETRY_S,
            )
        if code in _OCCUPIED:
            return TargetOccupiedError(f"{self.told} has something else of that name by now: {message}.")
        meaning = _REFUSED.get(code, "can't be restored to")
        return TargetError(f"{self.told} {meaning}: {message}. Mend that, then clear the task.")


_OCCUPIED = ("EEXIST", "ELOOP", "ENOTDIR", "EISDIR")
_REFUSED = {
    "ENOSPC": "is full",
    "EDQUOT": "has no quota left",
    "EROFS": "is mounted read-only",
    "EACCES": "can't be written by this user",
    "EPERM": "can't be written by this user",
}


def _kinds(listing: Listing) -> dict[str, str]:
    return {entry.path: entry.kind for entry in listing.entries}


def _shipped() -> bytes:
    """Give the program that runs at the target: ``target_agent``, with the module that it imports."""
    agents = {
        module.__name__: Path(module.__file__ or "").read_text("utf-8")
        for module in (source_agent, target_agent)
    }
    library, program = agents.values()
    return (
        "import sys, types\n"
        "package, library = types.ModuleType('include'), types.ModuleType('include.source_agent')\n"
        f"exec({library!r}, library.__dict__)\n"
        "package.source_agent = library\n"
        "sys.modules.update({'include': package, 'include.source_agent': library})\n"
        f"exec({program!r})\n"
    ).encode()


_PROGRAM = _shipped()
_START = shlex.join(
    ["python3", "-I", "-S", "-c", f"import sys; exec(sys.stdin.buffer.read({len(_PROGRAM)}).decode())"]
)
