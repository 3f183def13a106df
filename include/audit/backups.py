"""What there is to audit: the days and generations of a vault, and how it stands with each."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from include.audit.finding import missing
from include.machines.generation import Generations, PublishedGeneration
from include.proofs import ProofLog
from include.vault import PublishedDay, Vault


@dataclass(frozen=True)
class Backup:
    """One published backup, whatever it is of.

    Args:
        published: where it lies, and what is known of it.
    """

    published: PublishedDay | PublishedGeneration

    @property
    def name(self) -> str:
        """As people call it: ``2026-268.r2``, or ``maq1 2026-11-22T05-00-03Z``."""
        if isinstance(self.published, PublishedDay):
            return f"{self.published.day.year:04d}-{self.published.name}"
        return f"{self.published.machine} {self.published.name}"

    @property
    def of(self) -> str:
        """What it is a version of: the day, or the machine."""
        return str(self.published.day) if isinstance(self.published, PublishedDay) else self.published.machine

    @property
    def group(self) -> str:
        """With which others it is read and told: its year's days, or its machine's generations."""
        if isinstance(self.published, PublishedDay):
            return f"SUPIM {self.published.day.year:04d}"
        return self.published.machine

    @property
    def folder(self) -> Path:
        """The data."""
        return self.published.folder

    @property
    def exists(self) -> bool:
        """Whether it's there, or should be: a generation that was removed is neither, a lost one is."""
        return isinstance(self.published, PublishedDay) or self.folder.exists() or self.published.is_lost

    @property
    def proofs(self) -> ProofLog:
        """What was found of it since it was published."""
        return self.published.proofs


@dataclass(frozen=True)
class Standing:
    """How it stands with a backup.

    Args:
        backup: which.
        proven: when its bytes were last proven; None where its record can't be read: nobody knows.
        damage: what is wrong with it, as a sentence; None as far as anybody knows.
        bytes: what it holds, as its record says.
        replaced_by: the name of a newer version that is whole; only looked for where it is damaged.
        untold: whether it is damaged, and no audit has found it so yet.
    """

    backup: Backup
    proven: datetime | None
    damage: str | None
    bytes: int = 0
    replaced_by: str | None = None
    untold: bool = False


def in_vault(vault: Vault) -> list[Backup]:
    """Give all backups of a vault: days, oldest first, then each machine's generations.

    What has lost its folder or its record, and so counts as published to nobody, is among them.
    """
    days = sorted([*vault.published(), *vault.lost()])
    generations = Generations(vault)
    machines = map(generations.every, generations.names())
    return [*map(Backup, days), *(Backup(one) for machine in machines for one in machine)]


def standings(backups: Iterable[Backup]) -> list[Standing]:
    """Say how it stands with each of some backups, in their order.

    Args:
        backups: all versions of a day or a machine must be among them, or none, oldest first.
    """
    found = [_standing(backup) for backup in backups]
    whole = {_kind(one): one.backup for one in found if not one.damage}  # the newest one is the last
    return [
        replace(one, replaced_by=newest.name)
        if one.damage and (newest := whole.get(_kind(one))) and _is_newer(newest, one.backup)
        else one
        for one in found
    ]


def _standing(backup: Backup) -> Standing:
    damage, untold = backup.published.damage, backup.proofs.damaged is None
    if not backup.folder.is_dir():
        return Standing(backup, None, missing(backup.folder), untold=untold)
    record = backup.published.readable_record
    if not record:
        return Standing(backup, None, damage, untold=untold)
    audit = backup.proofs.last("audit")
    passed = audit is not None and audit.result == "passed"
    return Standing(backup, audit.when if audit and passed else record.proofs[-1].when, damage, record.bytes)


def _kind(standing: Standing) -> tuple[type, str]:
    return type(standing.backup.published), standing.backup.of


def _is_newer(one: Backup, other: Backup) -> bool:
    return one.published > other.published  # type: ignore[operator] # both are days, or both are generations
