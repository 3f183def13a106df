"""One backup, read again: held against removal meanwhile, and what was found of it added to its proofs."""

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from include.audit import day, generation
from include.audit.backups import Backup, in_vault
from include.audit.finding import Seen
from include.facts import Day, Facts
from include.machines.image import UNREADABLE
from include.names import shown
from include.ordinal_day import OrdinalDay
from include.proofs import Found
from include.vault import PublishedDay, Vault


class Reading(Facts):
    """What came of reading one backup.

    Args:
        name: which.
        day: of which day it is a version; None of a machine's.
        result: ``passed``, ``failed``, or ``not checked`` where this user may not read it.
        how: what was found, as sentences.
        files: how many were read.
        bytes: what they hold.
        seconds: what it took.
        warnings: what is no damage, and should be mended all the same.
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
class Reader:
    """Reads backups of a vault.

    Args:
        vault: whose.
        run: who reads, for the proofs.
        pace: asked before more is read.
        record: whether the proofs are added to.
    """

    vault: Vault
    run: str
    pace: Callable[[int], None]
    record: bool = True

    def read(self, backup: Backup) -> Reading | None:
        """Read one backup; give None where it was removed meanwhile.

        Raises:
            NotYetError: it's being removed just now.
            VaultUnmarkedError: the vault's disk went away.
        """
        started, began = datetime.now(UTC), time.monotonic()
        with self.vault.hold_still(backup.folder, backup.name):
            if not backup.exists:
                Vault.open(self.vault.root)
                return None
            result, how, seen = self._seen(backup)
        if result == "failed":
            Vault.open(self.vault.root)  # a disk that was unmounted meanwhile isn't damage
        reading = Reading(
            name=backup.name,
            day=_day(backup),
            result=result,
            how=how,
            files=seen.files,
            bytes=seen.bytes,
            seconds=round(time.monotonic() - began, 3),
            warnings=seen.oddities,
        )
        return self._recorded(backup, reading, started) if self.record else reading

    def _seen(self, backup: Backup) -> tuple[Literal["passed", "failed", "not checked"], str, Seen]:
        try:
            seen = read(backup, self.pace)
        except PermissionError as refused:
            return "not checked", f"This user may not read {_path(refused, backup)}.", Seen()
        except OSError as error:
            if error.errno not in (errno.ENOENT, *UNREADABLE):
                raise
            return "failed", f"{_path(error, backup)} can't be read: {error.strerror}.", Seen()
        return ("failed", " ".join(seen.wrong), seen) if seen.wrong else ("passed", f"{seen.proof}.", seen)

    def _recorded(self, backup: Backup, reading: Reading, when: datetime) -> Reading:
        """Add it to the proofs; the time is that when the reading began: nothing later was seen."""
        found = Found(
            what="audit",
            when=when,
            result=reading.result,
            how=reading.how,
            seconds=reading.seconds,
            run=self.run,
        )
        try:
            backup.proofs.append(found)
        except OSError as refused:
            told = (
                f"{reading.name}: the result can't be recorded, so the next audit reads it again. {refused}"
            )
            return reading.model_copy(update={"warnings": (*reading.warnings, told)})
        return reading

    def read_all(self, names: Iterable[str], since: datetime) -> Iterator[Reading]:
        """Read backups by their names; what this run has read since a moment isn't read twice.

        So a run that was killed goes on with what is left.

        Raises:
            NotYetError: one of them is being removed just now.
            VaultUnmarkedError: the vault's disk went away.
        """
        backups = {backup.name: backup for backup in in_vault(self.vault)}
        for name in names:
            if (backup := backups.get(name)) and (
                reading := self._before(backup, since) or self.read(backup)
            ):
                yield reading

    def _before(self, backup: Backup, since: datetime) -> Reading | None:
        last = backup.proofs.last("audit")
        if not last or last.run != self.run or last.when < since:
            return None
        return Reading(
            name=backup.name, day=_day(backup), result=last.result, how=last.how, seconds=last.seconds
        )


def _path(error: OSError, backup: Backup) -> str:
    """Give what an error is about; its name may hold bytes that are no text."""
    return shown(os.fsdecode(error.filename or backup.folder))


def _day(backup: Backup) -> OrdinalDay | None:
    return backup.published.day if isinstance(backup.published, PublishedDay) else None


def read(backup: Backup, pace: Callable[[int], None]) -> Seen:
    """Read all of a backup, whatever it is of.

    Raises:
        PermissionError: this user may not read it.
    """
    if isinstance(backup.published, PublishedDay):
        return day.read(backup.published, pace)
    return generation.read(backup.published, pace)
