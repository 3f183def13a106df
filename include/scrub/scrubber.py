"""Scrub one backup: lock it against removal, check it, append the result to its verification log."""

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from include.days.published import PublishedDay
from include.errors import VaultError
from include.models import Day, Model
from include.names import shown
from include.ordinal_day import OrdinalDay
from include.scrub import day, vm
from include.scrub.backups import Backup, in_vault
from include.scrub.finding import ReadBackup
from include.vault.vault import Vault
from include.vault.verification_log import LogEntry
from include.vms.image import UNREADABLE


class ScrubResult(Model):
    """The result of checking one backup.

    Args:
        name: the backup.
        day: the day that it is a revision of; None for a VM's generation.
        result: ``passed``, ``failed``, or ``not checked`` if this user may not read it.
        how: what was verified or what is damaged, as sentences.
        files: the number of files read.
        bytes: their size.
        seconds: the duration.
        warnings: what isn't damage, but should be fixed, as sentences.
    """

    name: str
    day: Day | None
    result: Literal["passed", "failed", "not checked"]
    how: str
    files: int = 0
    bytes: int = 0
    seconds: float = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scrubber:
    """Read backups of a vault.

    Args:
        vault: the vault.
        run: the run's name, for the verification logs.
        pace: called with the length of each block that is read; None for a quick check, of names, kinds and
            sizes only, which is never recorded.
        record: whether to append the results to the verification logs.
    """

    vault: Vault
    run: str
    pace: Callable[[int], None] | None
    record: bool = True

    def read(self, backup: Backup) -> ScrubResult | None:
        """Read one backup, and return the result; None if it has been removed.

        Raises:
            RescheduleError: it is being removed right now.
            VaultUnmarkedError: the vault isn't mounted any more.
        """
        started, began = datetime.now(UTC), time.monotonic()
        with self.vault.lock_published(backup.folder, backup.name):
            if not backup.exists:
                Vault.open(self.vault.root)
                return None
            result, how, found = self._read(backup)
        if result == "failed":
            Vault.open(self.vault.root)  # an unmounted vault isn't damage
        reading = ScrubResult(
            name=backup.name,
            day=_day(backup),
            result=result,
            how=how,
            files=found.files,
            bytes=found.bytes,
            seconds=round(time.monotonic() - began, 3),
            warnings=found.warnings,
        )
        return self._recorded(backup, reading, started) if self.record and self.pace else reading

    def _read(self, backup: Backup) -> tuple[Literal["passed", "failed", "not checked"], str, ReadBackup]:
        try:
            found = read(backup, self.pace) if self.pace else quick_check(backup)
        except PermissionError as refused:
            return "not checked", f"This user may not read {_path(refused, backup)}.", ReadBackup()
        except VaultError as unknown:
            return "not checked", str(unknown), ReadBackup()
        except OSError as error:
            if error.errno not in (errno.ENOENT, *UNREADABLE):
                raise
            return "failed", f"{_path(error, backup)} can't be read: {error.strerror}.", ReadBackup()
        return (
            ("failed", " ".join(found.damage), found)
            if found.damage
            else ("passed", f"{found.verification}.", found)
        )

    def _recorded(self, backup: Backup, reading: ScrubResult, when: datetime) -> ScrubResult:
        """Append the result to the verification log, with the time at which the reading began."""
        entry = LogEntry(
            what="scrub",
            when=when,
            result=reading.result,
            how=reading.how,
            seconds=reading.seconds,
            run=self.run,
        )
        try:
            backup.verification_log.append(entry)
        except OSError as refused:
            warning = f"The result can't be recorded, so the next scrub reads {reading.name} again. {refused}"
            return reading.model_copy(update={"warnings": (*reading.warnings, warning)})
        return reading

    def read_all(self, names: Iterable[str], since: datetime) -> Iterator[ScrubResult]:
        """Read backups by name, and yield their results.

        What this run has recorded after ``since`` isn't read again, so a run that was killed resumes.

        Raises:
            RescheduleError: one of them is being removed right now.
            VaultUnmarkedError: the vault isn't mounted any more.
        """
        backups = {backup.name: backup for backup in in_vault(self.vault)}
        for name in names:
            if (backup := backups.get(name)) and (
                reading := self._recorded_result(backup, since) or self.read(backup)
            ):
                yield reading

    def _recorded_result(self, backup: Backup, since: datetime) -> ScrubResult | None:
        try:
            last = backup.verification_log.last_reading
        except OSError:  # recording the result will report it
            return None
        if not last or last.run != self.run or last.when < since:
            return None
        return ScrubResult(
            name=backup.name, day=_day(backup), result=last.result, how=last.how, seconds=last.seconds
        )


def _path(error: OSError, backup: Backup) -> str:
    """Return the path that an error is about, escaped: it may not be valid UTF-8."""
    return shown(os.fsdecode(error.filename or backup.folder))


def _day(backup: Backup) -> OrdinalDay | None:
    return backup.published.day if isinstance(backup.published, PublishedDay) else None


def read(backup: Backup, pace: Callable[[int], None]) -> ReadBackup:
    """Read all of a backup, and return what was found.

    Raises:
        PermissionError: this user may not read all of it.
    """
    if isinstance(backup.published, PublishedDay):
        return day.read(backup.published, pace)
    return vm.read(backup.published, pace)


def quick_check(backup: Backup) -> ReadBackup:
    """Check the names, kinds and sizes of a backup's files, and return what was found.

    Raises:
        PermissionError: this user may not list all of it.
        VaultError: the list of sizes can't be read.
    """
    if isinstance(backup.published, PublishedDay):
        return day.quick_check(backup.published)
    return vm.quick_check(backup.published)
