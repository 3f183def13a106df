"""The source of SUPIM days: its survey and its hashes, over one SSH session."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from include.days.manifest import Manifest
from include.days.manifest_builder import ManifestBuilder, manifest_with
from include.days.supim import completeness
from include.errors import BackupError, SourceFolderError
from include.models import Day, Model
from include.names import named, shown
from include.ordinal_day import FolderPattern, OrdinalDay
from include.remote.program import RemoteProgram
from include.remote.transport import Transport
from include.remote.zipapps import LINE_SERVER, Zipapp, zipapp
from include.shapes import ShapeError, brief, field_of
from include.text import visible


class SourceState(StrEnum):
    """The state of a day at the source."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"  # still being written, or never finished: waiting may help
    MISSING = "missing"
    UNUSABLE = "unusable"  # somebody must fix it


class SourceDay(Model):
    """The survey of one day, short enough for XCom.

    Args:
        day: the day.
        state: whether it can be copied.
        reason: why it can't be copied, as a sentence; empty if it can.
        fingerprint: ``ManifestTotals.fingerprint`` of its folder.
        bytes: the total size of its files.
        disk_bytes: the space that a copy uses.
        files: the number of files, folders and links.
    """

    day: Day
    state: SourceState
    reason: str = ""
    fingerprint: str = ""
    bytes: int = 0
    disk_bytes: int = 0
    files: int = 0


NOTHING = manifest_with(())


@dataclass(frozen=True)
class SurveyedDay:
    """The survey of one day, with its manifest.

    Args:
        day: the part that goes through XCom.
        folder: the day's folder below the root; empty if there is none.
        manifest: the folder's entries.
    """

    day: SourceDay
    folder: str = ""
    manifest: Manifest = NOTHING


@dataclass
class Source:
    """A cluster's folder of days; a context manager that ends its SSH session.

    Args:
        transport: the connection to the cluster.
        root: the absolute path of the folder of all days.
        pattern: how a day's folder below the root is named.
        check_descriptors: whether GrADS descriptors decide that a day is complete.
        steps_per_day: the time steps of a complete day; None accepts any number.
        exclude: patterns of the names of files and folders that are no part of a day.
    """

    transport: Transport
    root: str
    pattern: FolderPattern
    check_descriptors: bool
    steps_per_day: int | None
    exclude: tuple[str, ...] = ()
    _program: RemoteProgram = field(init=False)

    def __post_init__(self) -> None:
        name = f"the source {self.transport.ssh_conn_id}"
        self._program = RemoteProgram(self.transport, source_program(), name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session, even during an answer; the next request starts another."""
        self._program.close()

    def survey(self, days: Iterable[OrdinalDay]) -> dict[OrdinalDay, SourceDay]:
        """Survey some days at the source, in one session: one request and one answer for each.

        Returns:
            The survey of each day, oldest first.

        Raises:
            BackupError: the source can't be surveyed; TransientError if waiting may help.
        """
        return {day: self.survey_day(day).day for day in sorted(set(days))}

    def hashes(self, folder: str) -> Manifest:
        """Return a folder's manifest with the SHA-256 of each file, computed at the source."""
        scans = self._scans({"hash": folder}, [folder])
        if folder not in scans:
            raise self._program.unexpected(ShapeError(f"no entries of {shown(folder)}"))
        return scans[folder].manifest()

    def path(self, folder: str) -> str:
        """Return the absolute path of a day's folder at the source."""
        return f"{self.root.rstrip('/')}/{folder}"

    def survey_day(self, day: OrdinalDay) -> SurveyedDay:
        """Survey one day at the source, as :meth:`survey` does, and return its manifest, too."""
        candidates = list(self.pattern.candidates(day))
        scans = self._scans({"survey": candidates}, candidates)
        folders = self.pattern.days(folder for folder in candidates if folder in scans)
        return self._surveyed(day, [folder for folder, found in folders.items() if found == day], scans)

    def _surveyed(
        self, day: OrdinalDay, folders: list[str], scans: Mapping[str, ManifestBuilder]
    ) -> SurveyedDay:
        if not folders:
            reason = f"The source has no folder {self.pattern.folder(day)}."
            return SurveyedDay(SourceDay(day=day, state=SourceState.MISSING, reason=reason))
        if len(folders) > 1:
            reason = f"The source has it twice, as {named(folders)}. Remove one of them."
            return SurveyedDay(SourceDay(day=day, state=SourceState.UNUSABLE, reason=reason))
        scan = scans[folders[0]]
        manifest = scan.manifest()
        state, reason = self._state(day, manifest, scan.descriptors)
        source_day = SourceDay(
            day=day,
            state=state,
            reason=reason,
            fingerprint=manifest.totals.fingerprint,
            bytes=manifest.totals.bytes,
            disk_bytes=manifest.totals.disk_bytes,
            files=manifest.totals.entries,
        )
        return SurveyedDay(source_day, folders[0], manifest)

    def _state(
        self, day: OrdinalDay, manifest: Manifest, descriptors: Mapping[str, str]
    ) -> tuple[SourceState, str]:
        if manifest.unreadable:
            return SourceState.UNUSABLE, f"The source's user can't read {manifest.unreadable}."
        if not manifest.totals.files:
            return SourceState.INCOMPLETE, "The folder holds no file."
        if self.check_descriptors:
            found = completeness(day, manifest, descriptors, self.steps_per_day)
            return (SourceState.INCOMPLETE, found.summary) if found.problems else (SourceState.COMPLETE, "")
        return SourceState.COMPLETE, ""

    def _scans(self, request: dict[str, Any], folders: list[str]) -> dict[str, ManifestBuilder]:
        """Ask the source, and return what it sends of each folder that it has."""
        scans: dict[str, ManifestBuilder] = {}

        def take(answer: dict[str, Any]) -> None:
            folder = field_of(answer, "folder", str)
            if folder not in folders:
                raise ShapeError(f"the folder {brief(folder)} wasn't asked for")
            scans.setdefault(folder, ManifestBuilder(self.exclude)).take(answer)

        reply = self._program.ask({"root": self.root, **request}, take)
        if reply:
            raise self._refusal(reply)
        return scans

    def _refusal(self, reply: dict[str, Any]) -> BackupError:
        try:
            error, message = field_of(reply, "error", str), field_of(reply, "message", str)
        except ShapeError as wrong:
            return self._program.unexpected(wrong)
        details = f"({visible(message)})"
        if error in ("FileNotFoundError", "NotADirectoryError"):
            elsewhere = "" if message.endswith(repr(os.fsencode(self.root))) else f" {details}"
            return SourceFolderError(f"The source has no folder {self.root}. Is it mounted there?{elsewhere}")
        if error == "PermissionError":
            return SourceFolderError(f"The source's user can't read {self.root}. {details}")
        return BackupError(f"The source failed to answer: {visible(error)} {details}")


def source_program() -> Zipapp:
    """Build the program that runs at the source."""
    return zipapp("include.days.source_program", *LINE_SERVER, "days.folder_scan", "days.source_program")
