"""The target of a restored day: a folder here or on another host, used in one session."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from include.days.manifest import Manifest
from include.days.manifest_builder import ManifestBuilder, manifest_with
from include.days.manifest_entry import ManifestEntry
from include.errors import (
    BackupError,
    RescheduleError,
    SourceUnreachableError,
    TargetError,
    TargetOccupiedError,
    TransientError,
)
from include.names import shown
from include.ordinal_day import FolderPattern, OrdinalDay
from include.remote import rsync
from include.remote.local import LocalTransport
from include.remote.program import RemoteProgram, Take
from include.remote.ssh import connected
from include.remote.transport import Transport
from include.remote.zipapps import LINE_SERVER, Zipapp, zipapp
from include.restore import container_layer
from include.restore.plan import RestoreAction, RestoreStep
from include.restore.target_state import TargetState
from include.shapes import ShapeError, field_of
from include.text import size, visible

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class TargetDay:
    """What the target has of a day before it is restored.

    Args:
        state: the state of the target.
        manifest: what exists there of the selected paths, hashed there.
    """

    state: TargetState
    manifest: Manifest

    def require_usable(self, name: str) -> None:
        """Check that the folder can be restored to.

        Args:
            name: the target's name, for messages.

        Raises:
            TargetError: it is in a vault, its parent doesn't exist, or it can't be read.
            TargetOccupiedError: the day's name isn't a folder, or two folders have it.
        """
        state = self.state
        if state.vault:
            raise TargetError(
                f"{name} is in the vault {shown(state.vault)}. Restore to a folder outside of it."
            )
        if not state.above:
            raise TargetError(f"The parent folder of {name} doesn't exist. Mount its disk, or create it.")
        if len(state.found) > 1:
            both = " and ".join(map(shown, state.found))
            raise TargetOccupiedError(
                f"{name} has the day twice, as {both}. Remove one, or name another folder."
            )
        if not state.is_folder:
            raise TargetOccupiedError(
                f"{name} has something at {shown(state.day)} that isn't a folder. Move it away."
            )
        if self.manifest.unreadable:
            raise TargetError(f"{name}: {self.manifest.unreadable} of the day can't be read there.")

    def require_space(self, steps: Iterable[RestoreStep], reserve_bytes: int, name: str) -> None:
        """Check that there is space for all that will be sent.

        Args:
            steps: what to do with each path.
            reserve_bytes: the space to leave free.
            name: the target's name, for messages.

        Raises:
            TargetError: there isn't; the message has the missing bytes or files.
        """
        sent = manifest_with(step.entry for step in steps if step.writes).totals
        need = max(sent.disk_bytes - self.state.left_bytes, 0) if sent.entries else 0
        lacking = need + reserve_bytes - self.state.free_bytes
        if need and lacking > 0:
            reserve = f" and {size(reserve_bytes)} in reserve" if reserve_bytes else ""
            free = size(self.state.free_bytes)
            raise TargetError(
                f"{name} needs {size(need)} for the day{reserve}, and has {free} free: "
                f"{size(lacking)} short. Nothing was written. Free space there."
            )
        if sent.entries > self.state.free_files:
            raise TargetError(
                f"{name} needs {sent.entries:,} more files, and has "
                f"inodes for {self.state.free_files:,}. Nothing was written. Remove files there."
            )


@dataclass
class RestoreTarget:
    """A folder to restore days to; a context manager that closes its session.

    Args:
        transport: the connection to its host.
        root: the folder that contains the years, absolute.
        pattern: the pattern of the days' folders below it.
    """

    transport: Transport | LocalTransport
    root: str
    pattern: FolderPattern
    _program: RemoteProgram = field(init=False)

    def __post_init__(self) -> None:
        self._program = RemoteProgram(self.transport, target_program(), self.name)

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return isinstance(self.transport, LocalTransport)

    @property
    def name(self) -> str:
        """The name in messages: ``/data/restored``, or ``cluster:/data/restored``."""
        if isinstance(self.transport, LocalTransport):
            return self.root
        return f"{self.transport.ssh_conn_id}:{self.root}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.close()

    def survey(self, day: OrdinalDay, selected: Manifest) -> TargetDay:
        """Return what exists there of the selected paths.

        Raises:
            BackupError: the target can't be used; TransientError if a retry may succeed.
        """
        if self.is_local and (reason := container_layer.refusal(Path(self.root))):
            raise TargetError(reason)
        folders = self.pattern.candidates(day)
        there = ManifestBuilder()
        answer = self._ask(
            there.take, do="survey", root=self.root, folders=folders, selected=_kinds(selected)
        )
        return TargetDay(self._read(TargetState.of, answer), there.manifest())

    def receive(
        self, at_target: TargetDay, folder: Path, steps: list[RestoreStep], log: Callable[[str], None]
    ) -> Manifest:
        """Send files to a staging folder beside the day's; return what arrived, hashed there.

        Args:
            at_target: the result of the survey.
            folder: the vault's copy.
            steps: what to do with each path.
            log: called with lines of progress.

        Raises:
            RescheduleError: another restore of the day is running.
            TargetError: the target can't be written.
            SourceRefusedError: its host refused the connection.
            SourceUnreachableError: the connection broke.
        """
        sent = [step.entry for step in steps if step.writes]
        kinds = _kinds(step.entry for step in steps)
        answer = self._ask(do="begin", day=at_target.state.day, selected=kinds)
        staging = self._read(lambda begun: field_of(begun, "staging", str), answer)
        with self._explained(), ExitStack() as opened:
            config = None
            if not isinstance(self.transport, LocalTransport):
                config = opened.enter_context(connected(self.transport.endpoint))
            into = rsync.Destination(staging, self.name, config)
            rsync.push(folder, [entry.path for entry in sent], into, log)
        arrived = ManifestBuilder()
        self._ask(arrived.take, do="hash")
        return arrived.manifest()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """If rsync fails, raise the target's own error: rsync may not report why it can't write there."""
        try:
            yield
        except BackupError as failed:
            if type(failed) in (BackupError, SourceUnreachableError):
                with suppress(TransientError):
                    self._ask(do="probe")
            raise

    def discard(self, paths: list[str]) -> None:
        """Remove files that arrived damaged, so that a retry sends them again."""
        self._ask(do="discard", paths=paths)

    def publish(self, steps: Iterable[RestoreStep]) -> None:
        """Move the verified files from the staging folder to their names.

        Raises:
            TargetOccupiedError: a file of such a name has just been created.
            TargetError: the target can't be written.
        """
        moves = [
            (step.entry.path, step.entry.kind, step.action is RestoreAction.OVERWRITE)
            for step in steps
            if step.writes
        ]
        self._ask(do="publish", steps=moves)

    def _ask(self, take: Take | None = None, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        reply = self._program.ask(request, take)
        if "error" in reply:
            raise self._read(self._refusal, reply)
        return reply

    def _read(self, read: Callable[[dict[str, Any]], _Read], answer: dict[str, Any]) -> _Read:
        try:
            return read(answer)
        except ShapeError as wrong:
            raise self._program.unexpected(wrong) from wrong

    def _refusal(self, reply: dict[str, Any]) -> BackupError:
        message = visible(field_of(reply, "message", str))
        code = field_of(reply, "errno", str) if "errno" in reply else ""
        if code == "EAGAIN":
            return RescheduleError(
                f"Another restore of the day is running at {self.name}; trying again later."
            )
        if code in _OCCUPIED:
            return TargetOccupiedError(
                f"{self.name} has something else of that name now: {message}. Move it away."
            )
        meaning = _REFUSED.get(code, "can't be restored to")
        return TargetError(
            f"{self.name} {meaning}: {message}. Fix that, then clear the task or restore again."
        )


_OCCUPIED = ("EEXIST", "ELOOP", "ENOTDIR", "EISDIR")
_REFUSED = {
    "ENOSPC": "is full",
    "EDQUOT": "has no quota left",
    "EROFS": "is mounted read-only",
    "EACCES": "can't be written by this user",
    "EPERM": "can't be written by this user",
}


def _kinds(entries: Iterable[ManifestEntry]) -> dict[str, str]:
    return {entry.path: entry.kind for entry in entries}


def target_program() -> Zipapp:
    """Return the program that runs at the target."""
    return zipapp(
        "include.restore.target_program", *LINE_SERVER, "days.folder_scan", "restore.target_program"
    )
