"""The backups of a vault, days and VM generations, each with its last verification and its damage."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from include.days.archive import DayArchive
from include.days.published import PublishedDay
from include.days.record import DayRecord, RevisionCause
from include.scrub.finding import is_there, missing
from include.vault.vault import Vault
from include.vault.verification_log import VerificationLog
from include.vms.archive import PublishedVm, VmArchive
from include.vms.protection import Protection


@dataclass(frozen=True)
class Backup:
    """A published backup of a day or of a VM.

    Args:
        published: the day's revision or the VM's generation.
    """

    published: PublishedDay | PublishedVm

    @property
    def name(self) -> str:
        """The name: ``2026-268.r2``, or ``maq1 2026-11-22T05-00-03Z``."""
        if isinstance(self.published, PublishedDay):
            return f"{self.published.day.year:04d}-{self.published.name}"
        return f"{self.published.vm} {self.published.name}"

    @property
    def names(self) -> set[str]:
        """What a person may call it: name, VM or day, also by date, and ``maq1/2026-11-22T05-00-03Z``."""
        if isinstance(self.published, PublishedDay):
            date = self.published.day.date.isoformat()
            return {self.name, self.of, date, self.name.replace(self.of, date)}
        return {self.name, self.of, f"{self.published.vm}/{self.published.name}"}

    @property
    def of(self) -> str:
        """The day or the VM that it is a version of."""
        return str(self.published.day) if isinstance(self.published, PublishedDay) else self.published.vm

    @property
    def group(self) -> str:
        """The batch that it is read and reported in: its year of days, or its VM."""
        if isinstance(self.published, PublishedDay):
            return f"SUPIM {self.published.day.year:04d}"
        return f"VM {self.published.vm}"

    @property
    def folder(self) -> Path:
        """The folder with the data."""
        return self.published.folder

    @property
    def exists(self) -> bool:
        """Whether it is there or should be: true for a lost generation, false for a removed one."""
        return isinstance(self.published, PublishedDay) or self.folder.exists() or self.published.is_lost

    @property
    def is_ahead(self) -> bool:
        """Whether it is dated in the future; the name of a day isn't the date of its backup."""
        return isinstance(self.published, PublishedVm) and self.published.is_ahead

    @property
    def protection(self) -> Protection | None:
        """By whom and why it is protected from removal; days are never removed."""
        return self.published.protection if isinstance(self.published, PublishedVm) else None

    @property
    def verification_log(self) -> VerificationLog:
        """The results of scrubs and boot tests since it was published."""
        return self.published.verification_log


@dataclass(frozen=True)
class BackupStatus:
    """A backup's last verification and its damage, as its record and its verification log have them.

    Args:
        backup: the backup.
        verified: when its bytes were last verified; None if its record can't be read.
        damage: the known damage, as a sentence; None if there is none.
        bytes: its size, according to its record.
        replaced_by: the name of a newer, intact version; only set if this one is damaged.
        unreported: whether it is damaged, and no scrub has recorded that yet.
        unchecked: why its quick check wasn't possible, as a sentence; empty if it passed or wasn't made.
        cause: why a revision of a day was made; None for a VM, or if its record can't be read.
    """

    backup: Backup
    verified: datetime | None
    damage: str | None
    bytes: int = 0
    replaced_by: str | None = None
    unreported: bool = False
    unchecked: str = ""
    cause: RevisionCause | None = None


def in_vault(vault: Vault) -> list[Backup]:
    """Return all backups of a vault: days, oldest first, then each VM's generations.

    Backups that have lost their folder or their record are included; they count as damaged.
    """
    days = sorted([*DayArchive(vault).published(), *DayArchive(vault).lost()])
    generations = VmArchive(vault)
    vms = map(generations.every, generations.names())
    return [*map(Backup, days), *(Backup(generation) for vm in vms for generation in vm)]


def statuses(
    backups: Iterable[Backup], check: Callable[[BackupStatus], BackupStatus] = lambda status: status
) -> list[BackupStatus]:
    """Return the status of each backup, in the same order.

    Args:
        backups: oldest first; if one version of a day or VM is among them, all must be.
        check: looks at the backups that aren't known to be damaged, and returns their status as found.
    """
    known = (_status(backup) for backup in backups)
    found = [status if status.damage else check(status) for status in known]
    newest_intact = {_source(status): status.backup for status in found if not status.damage}
    return [
        replace(status, replaced_by=newest.name)
        if status.damage
        and (newest := newest_intact.get(_source(status)))
        and _is_newer(newest, status.backup)
        else status
        for status in found
    ]


def still_damaged(vault: Vault) -> dict[str, str]:
    """Return the known damage of each backup that no newer, intact version replaces, by its name."""
    found = statuses(in_vault(vault))
    return {one.backup.name: one.damage for one in found if one.damage and not one.replaced_by}


def replaced(vault: Vault) -> dict[str, str]:
    """Return the newer, intact version of each damaged backup that has one, by its name."""
    found = statuses(in_vault(vault))
    return {one.backup.name: one.replaced_by for one in found if one.replaced_by}


def _status(backup: Backup) -> BackupStatus:
    try:
        return _recorded_status(backup)
    except PermissionError as refused:
        return BackupStatus(backup, None, None, unchecked=f"This user may not read it: {refused}.")
    except OSError as error:
        return BackupStatus(backup, None, f"What is beside it can't be read: {error}.", unreported=True)


def _recorded_status(backup: Backup) -> BackupStatus:
    damage, unreported = backup.published.damage, backup.verification_log.damaged is None
    if not is_there(backup.folder):
        return BackupStatus(backup, None, missing(backup.folder), unreported=unreported)
    record = backup.published.readable_record
    if not record:
        return BackupStatus(backup, None, damage, unreported=unreported)
    reading = backup.verification_log.last_reading
    passed = reading is not None and reading.result == "passed"
    return BackupStatus(
        backup,
        reading.when if reading and passed else record.verifications[-1].when,
        damage,
        record.bytes,
        cause=record.cause if isinstance(record, DayRecord) else None,
    )


def _source(status: BackupStatus) -> tuple[type, str]:
    return type(status.backup.published), status.backup.of


def _is_newer(one: Backup, other: Backup) -> bool:
    return one.published > other.published  # type: ignore[operator] # both are days, or both are generations
