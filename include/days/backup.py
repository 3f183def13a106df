"""The backup of one day: copy, verify, publish. Every step can be killed and repeated.

``copy`` and ``verify`` leave their results in the vault's staging; only ``publish`` gives the final name.
"""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.days import folder_scan, manifest_file, publication, supim
from include.days.archive import DayArchive
from include.days.manifest import Manifest, content, differing, is_newer, metadata, paths
from include.days.manifest_builder import manifest_of
from include.days.manifest_entry import ManifestEntry
from include.days.published import PublishedDay
from include.days.record import DayRecord, Origin, RevisionCause
from include.days.source import Source, SourceState, SurveyedDay
from include.days.staged import StagedDay
from include.errors import (
    DayIncompleteError,
    DayMissingError,
    DayNotVerifiedError,
    DayUnusableError,
    NotSettledError,
    RescheduleError,
    VaultError,
)
from include.names import Names, named
from include.ordinal_day import OrdinalDay
from include.remote import rsync
from include.remote.ssh import connected
from include.text import zoned
from include.vault.files import sync
from include.vault.free_space import FreeSpace
from include.vault.vault import Vault
from include.vault.verification_log import Verification


@dataclass(frozen=True)
class DayBackup:
    """The backup of one day from the source into the vault.

    Args:
        vault: the vault.
        source: the source.
        day: the day.
        run: the Airflow run, for the record.
        reserve_bytes: space that stays free in the vault.
        poke_interval_s: seconds between two surveys of a day that isn't complete.
        deadline: until when an incomplete day is waited for, in the zone of times in messages.
        log: called with each line for the task's log.
    """

    vault: Vault
    source: Source
    day: OrdinalDay
    run: str
    reserve_bytes: int
    poke_interval_s: float
    deadline: datetime
    log: Callable[[str], None]

    def copy(self) -> DayRecord | None:
        """Copy the day into staging; the source hashes it meanwhile.

        Returns:
            The record of the published day if it needs no copy, else None.

        Raises:
            RescheduleError: the day isn't complete yet, or another run has it locked.
            DayMissingError, DayIncompleteError: the day isn't complete, and the deadline has passed.
            DayUnusableError: somebody must fix the day at the source.
            NotSettledError: the day changed during the copy.
            NoSpaceError: the vault has too little free space.
        """
        with DayArchive(self.vault).lock(self.day) as staged:
            return self._copy(staged)

    def verify(self) -> DayRecord | None:
        """Hash the copy, compare it with the source's hashes, and check that it is a complete SUPIM day.

        Copy again first what an earlier try found different.

        Returns:
            The record of the published day if it needs no copy, else None.

        Raises:
            NotSettledError: the copy differs from the source; the next try copies again what differs.
            DayNotVerifiedError: the copy equals the source, but is no complete SUPIM day.
        """
        with DayArchive(self.vault).lock(self.day) as staged:
            if not staged.source_manifest.exists() and (record := self._copy(staged)):
                return record
            self._verify(staged)
            return None

    def publish(self) -> DayRecord:
        """Make the verified copy read-only and give it its final name.

        Returns:
            The record of the published day.

        Raises:
            DayNotVerifiedError: there is no verified copy.
        """
        with DayArchive(self.vault).lock(self.day) as staged:
            if staged.data.exists() and staged.draft.exists():
                draft = manifest_file.load(staged.draft)
                record = DayRecord.model_validate(draft.about)
                publication.publish(self.vault, staged, record, draft.manifest)
            published = self._published()
            if staged.data.exists() or not published:
                raise DayNotVerifiedError(
                    f"{self.day} has no verified copy in the vault. Clear its copy task."
                )
            staged.clear()
            publication.seal(published)
            return published.record

    def _copy(self, staged: StagedDay) -> DayRecord | None:
        with connected(self.source.transport.endpoint) as ssh:  # connects during the survey
            surveyed = self._complete_at_source()
            published = self._published()
            if published and self._same(published, surveyed):
                staged.clear()
                return published.record
            if self._is_verified(staged, surveyed):
                self.log(f"{self.day}: copied and verified already.")
                return None
            staged.begin_copy()
            self._require_space(staged, surveyed)
            started = time.monotonic()
            hashed = self._transfer(ssh, staged, surveyed)
            sync(staged.folder)  # once, and not each of thousands of files: what is written next relies on it
            seconds = round(time.monotonic() - started, 3)
        manifest_file.save(staged.source_manifest, {"folder": surveyed.folder, "seconds": seconds}, hashed)
        copied = f"{hashed.totals.files:,} files, {hashed.totals.bytes:,} bytes"
        self.log(f"{self.day}: {copied} copied in {seconds} s.")
        return None

    def _complete_at_source(self) -> SurveyedDay:
        surveyed = self.source.survey_day(self.day)
        state = surveyed.day.state
        if state is SourceState.COMPLETE:
            return surveyed
        message = f"{self.day} can't be backed up. {surveyed.day.reason}"
        if state is not SourceState.UNUSABLE and datetime.now(UTC) < self.deadline:
            again = f"Trying again in {self.poke_interval_s:.0f} s, until {zoned(self.deadline)}."
            raise RescheduleError(f"{message} {again}", retry_in_s=self.poke_interval_s)
        raise _SOURCE_ERRORS[state](message)

    def _published(self) -> PublishedDay | None:
        return next(reversed(DayArchive(self.vault).revisions(self.day)), None)

    def _same(self, published: PublishedDay, surveyed: SurveyedDay) -> bool:
        if published.fingerprint in ("", surveyed.day.fingerprint):
            return bool(published.fingerprint)  # a day without a readable record counts as unverified
        folder = os.fsencode(published.folder)
        there = manifest_of(folder_scan.walk(folder))
        if any(differing(there, surveyed.manifest, content)):
            return False
        self.log(f"{self.day}: only times differ from the published copy; hashing both.")
        return not any(differing(_hashed(folder), self._hashed_at_source(surveyed), content))

    def _is_verified(self, staged: StagedDay, surveyed: SurveyedDay) -> bool:
        if not (staged.data.exists() and staged.draft.exists()):
            return False
        with suppress(VaultError):  # a damaged draft declares nothing
            return bool(manifest_file.load(staged.draft).about["fingerprint"] == surveyed.day.fingerprint)
        return False

    def _require_space(self, staged: StagedDay, surveyed: SurveyedDay) -> None:
        copied = staged.copied
        need_bytes = surveyed.day.disk_bytes - copied.disk_bytes
        need_files = surveyed.day.files - copied.entries
        FreeSpace.of(self.vault.root).require(max(need_bytes, 0), max(need_files, 0), self.reserve_bytes)

    def _transfer(self, ssh: Path, staged: StagedDay, surveyed: SurveyedDay) -> Manifest:
        with ThreadPoolExecutor(1) as thread:
            # The network is the limit: the source's CPU is idle, and its cache has the files that rsync read.
            hashes = thread.submit(self._hashed_at_source, surveyed)
            try:
                rsync.pull(ssh, self.source.path(surveyed.folder), staged.data, self.log, self.source.exclude)
            except BaseException:
                self.source.close()  # ends the hashing
                raise
            hashed = hashes.result()
        if surveyed.manifest.totals.fingerprint != hashed.totals.fingerprint:
            raise self._unsettled(surveyed.manifest, hashed)
        return hashed

    def _unsettled(self, before: Manifest, after: Manifest) -> NotSettledError:
        changed = named(paths(differing(before, after, metadata)))
        return NotSettledError(
            f"{self.day} changed at the source during the copy: {changed}. "
            "Nothing was published; the next try copies what changed."
        )

    def _hashed_at_source(self, surveyed: SurveyedDay) -> Manifest:
        hashed = self.source.hashes(surveyed.folder)
        if hashed.unreadable:
            raise DayUnusableError(f"{self.day}: the source's user can't read {hashed.unreadable}.")
        return hashed

    def _verify(self, staged: StagedDay) -> None:
        staged.withdraw(staged.draft)
        started = time.monotonic()
        copied, source = manifest_file.load(staged.source_manifest)
        with ThreadPoolExecutor(1) as thread:
            survey = thread.submit(self.source.survey_day, self.day)
            copy = _hashed(os.fsencode(staged.data))
            now = survey.result().manifest
        self._require_same(staged, source, copy)
        if is_newer(now, source):
            unsettled = self._unsettled(source, now)
            staged.source_manifest.unlink()
            raise unsettled
        steps = self._steps(staged, copy)
        how = f"SHA-256 of {copy.totals.files:,} files equal at both ends"
        how += f"; {steps} descriptors match" if steps is not None else "; descriptors not checked"
        verification = Verification(
            when=datetime.now(UTC), how=how, seconds=round(time.monotonic() - started, 3)
        )
        record = self._record(staged, source, copied, steps, verification)
        manifest_file.save(staged.draft, record.model_dump(mode="json"), copy)
        self.log(f"{self.day}: {how}.")

    def _record(
        self,
        staged: StagedDay,
        source: Manifest,
        copied: Mapping[str, Any],
        steps: int | None,
        verification: Verification,
    ) -> DayRecord:
        return DayRecord(
            day=self.day,
            revision=DayArchive(self.vault).next_revision(self.day).revision,
            cause=RevisionCause.FIRST,  # publication finds both out
            origin=Origin(
                ssh_conn_id=self.source.transport.ssh_conn_id, folder=self.source.path(copied["folder"])
            ),
            files=source.totals.files,
            bytes=source.totals.bytes,
            steps=steps,
            fingerprint=source.totals.fingerprint,
            warnings=list(source.totals.warnings),
            run=self.run,
            copied=datetime.fromtimestamp(staged.source_manifest.stat().st_mtime, UTC),
            copy_seconds=copied["seconds"],
            verifications=[verification],
            structure=source.totals.structure,
        )

    def _require_same(self, staged: StagedDay, source: Manifest, copy: Manifest) -> None:
        wrong = Names()
        for theirs, ours in differing(source, copy, _verified_content):
            if ours and ours.kind != "folder":
                (staged.data / ours.path).unlink(missing_ok=True)
            if entry := ours or theirs:
                wrong.add(entry.path)
        if wrong:
            staged.source_manifest.unlink()
            raise NotSettledError(
                f"{self.day}: checksum mismatch in {wrong}. "
                "Nothing was published; the next try copies it again."
            )

    def _steps(self, staged: StagedDay, copy: Manifest) -> int | None:
        if not self.source.check_descriptors:
            return None
        found = supim.completeness(self.day, copy, staged.descriptors(copy), self.source.steps_per_day)
        if found.problems:
            raise DayNotVerifiedError(f"{self.day} is no complete SUPIM day. {found.summary}")
        return found.steps


def _hashed(folder: bytes) -> Manifest:
    return manifest_of(folder_scan.hashed(folder, folder_scan.walk(folder)))


def _verified_content(entry: ManifestEntry) -> object:
    """Return what must be the same at both ends; a file without a hash equals none."""
    return object() if entry.kind == "file" and entry.sha256 is None else entry.content


_SOURCE_ERRORS = {
    SourceState.MISSING: DayMissingError,
    SourceState.INCOMPLETE: DayIncompleteError,
    SourceState.UNUSABLE: DayUnusableError,
}
