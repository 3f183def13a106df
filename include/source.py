"""The source of SUPIM days: one door through which it is asked, and what it answers."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from include import source_agent
from include.errors import BackupError, SourceRefusedError
from include.facts import Day, Facts
from include.listing import Listing, named
from include.ordinal_day import FolderPattern, OrdinalDay
from include.supim import completeness
from include.transfer import Route


class Conversation(Protocol):
    """A program at the source that answers line by line."""

    def ask(self, line: bytes) -> bytes:
        """Send one line and give the next line that isn't blank.

        Raises:
            SourceUnreachableError: the connection is gone.
            BackupError: the program is; with its exit status and last words.
        """

    def close(self) -> None:
        """End it; harmless when it has ended."""


class Door(Protocol):
    """The one way to a remote host; Airflow's side opens it from a connection."""

    @property
    def connection(self) -> str:
        """The name of the connection."""

    @property
    def route(self) -> Route:
        """How OpenSSH gets there, for rsync."""

    def converse(self, command: str, program: bytes) -> Conversation:
        """Start a command, quoted for the remote shell, and send it the program that it reads first.

        Raises:
            SourceUnreachableError: worth another try.
            SourceRefusedError: key or host key.
        """


class State(StrEnum):
    """What the source holds of a day."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # still being written, or never finished: waiting may mend it
    MISSING = "missing"
    UNUSABLE = "unusable"  # a person must mend it


class Look(Facts):
    """What a look at the source says of one day: short enough to travel.

    Args:
        day: the day.
        state: whether it can be copied.
        reason: why not, as a sentence; empty when it can.
        fingerprint: ``Listing.fingerprint`` of its folder.
        bytes: what its files hold.
        disk_bytes: what a copy of them takes.
        files: how many files, folders and links there are.
    """

    day: Day
    state: State
    reason: str = ""
    fingerprint: str = ""
    bytes: int = 0
    disk_bytes: int = 0
    files: int = 0


NOTHING = Listing(())


@dataclass(frozen=True)
class Sighting:
    """A look at one day, and all that was seen.

    Args:
        look: what it comes to.
        folder: the day's folder below the root, empty when there is none.
        listing: what is in it.
    """

    look: Look
    folder: str = ""
    listing: Listing = NOTHING


@dataclass
class Source:
    """A cluster's folder of days; a context manager, which ends its one SSH session.

    Args:
        door: the way there.
        root: the folder that holds the years, absolute.
        pattern: how a day's folder below it is named.
        check_descriptors: whether GrADS descriptors decide that a day is complete.
        steps_per_day: how many descriptors make a day, None for any number.
    """

    door: Door
    root: str
    pattern: FolderPattern
    check_descriptors: bool
    steps_per_day: int | None
    _agent: Conversation | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session, even in the middle of an answer; the next question starts another."""
        if self._agent:
            self._agent.close()
            self._agent = None

    def look(self, days: Iterable[OrdinalDay]) -> dict[OrdinalDay, Sighting]:
        """See what the source holds of some days, in one round trip.

        Raises:
            BackupError: the source can't be asked; PassingError where another try may help.
        """
        wanted = sorted(set(days))
        folders = [folder for day in wanted for folder in self.pattern.candidates(day)]
        found = self._ask({"look": folders})
        homes: dict[OrdinalDay, list[str]] = {day: [] for day in wanted}
        for folder, day in self.pattern.days(folder for folder in folders if folder in found).items():
            homes[day].append(folder)
        return {day: self._sighting(day, homes[day], found) for day in wanted}

    def hashes(self, folder: str) -> Listing:
        """Give a folder's listing with the SHA-256 of each file, computed at the source."""
        return Listing.read(self._ask({"hash": folder}))

    def path(self, folder: str) -> str:
        """Give a day's folder as an absolute path at the source."""
        return f"{self.root.rstrip('/')}/{folder}"

    def _sighting(self, day: OrdinalDay, folders: list[str], found: Mapping[str, Any]) -> Sighting:
        if not folders:
            reason = f"The source has no folder {self.pattern.folder(day)}."
            return Sighting(Look(day=day, state=State.MISSING, reason=reason))
        if len(folders) > 1:
            reason = f"The source has it twice, as {named(folders)}. Remove one of them."
            return Sighting(Look(day=day, state=State.UNUSABLE, reason=reason))
        listing = Listing.read(found[folders[0]])
        state, reason = self._judged(day, listing, found[folders[0]]["descriptors"])
        look = Look(
            day=day,
            state=state,
            reason=reason,
            fingerprint=listing.fingerprint,
            bytes=listing.bytes,
            disk_bytes=listing.disk_bytes,
            files=len(listing.entries),
        )
        return Sighting(look, folders[0], listing)

    def _judged(self, day: OrdinalDay, listing: Listing, descriptors: Mapping[str, str]) -> tuple[State, str]:
        if listing.unreadable:
            paths = named(path for path, _ in listing.unreadable)
            return State.UNUSABLE, f"The source's user can't read {paths}."
        if not listing.files:
            return State.INCOMPLETE, "The folder holds no file."
        if self.check_descriptors:
            found = completeness(day, listing, descriptors, self.steps_per_day)
            return (State.INCOMPLETE, found.told) if found.problems else (State.COMPLETE, "")
        return State.COMPLETE, ""

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if not self._agent:
            self._agent = self.door.converse(_START, _AGENT)
        try:
            said = self._agent.ask(json.dumps({"root": self.root, **request}).encode())
        except BackupError:
            self.close()  # a late answer must not meet the next question
            raise
        try:
            reply: dict[str, Any] = json.loads(said)
        except ValueError as garbled:
            raise BackupError(
                f"The source answered something else than facts: {said[:200]!r}. "
                "Does its shell's start-up file print something?"
            ) from garbled
        if "error" in reply:
            raise _refusal(reply, self.root)
        return reply


_AGENT = Path(source_agent.__file__).read_bytes()
# Isolated and without site packages: nothing of the login's own is loaded, and it starts at once.
_START = shlex.join(
    ["python3", "-I", "-S", "-c", f"import sys; exec(sys.stdin.buffer.read({len(_AGENT)}).decode())"]
)


def _refusal(reply: dict[str, Any], root: str) -> BackupError:
    told = f"({reply['message']})"
    if reply["error"] in ("FileNotFoundError", "NotADirectoryError"):
        return SourceRefusedError(f"The source has no folder {root}. Is it mounted there? {told}")
    if reply["error"] == "PermissionError":
        return SourceRefusedError(f"The source's user can't read {root}. {told}")
    return BackupError(f"The source couldn't answer: {reply['error']} {told}")
