"""The record beside a published day: its source, size, time and verification."""

from datetime import datetime
from enum import StrEnum

from include.models import Day, Model
from include.vault.verification_log import Verification


class Origin(Model):
    """The source of a day: its connection and its folder there."""

    ssh_conn_id: str
    folder: str


class RevisionCause(StrEnum):
    """Why a revision of a day was made."""

    FIRST = "first copy"
    CHANGED = "changed at the source"
    DAMAGED = "the published copy was damaged"
    DAMAGED_AND_CHANGED = "the published copy was damaged, and the source had changed"
    LOST = "the published copy was lost"

    @property
    def repairs(self) -> bool:
        """Whether it takes the place of a copy that was damaged or lost in the vault."""
        return self in (RevisionCause.DAMAGED, RevisionCause.DAMAGED_AND_CHANGED, RevisionCause.LOST)


class DayRecord(Model):
    """The record of one published revision of a day.

    Args:
        day: such as ``2026-268``.
        revision: 1, or more for a later version.
        cause: why it was made.
        origin: the source.
        files: the number of regular files.
        bytes: their total size.
        steps: the number of complete time steps; None if descriptors weren't checked.
        fingerprint: ``ManifestTotals.fingerprint`` of the source when it was copied.
        warnings: what the copy doesn't include, as sentences.
        run: the Airflow run that made it.
        copied: when the copy was complete.
        copy_seconds: the duration of the copy.
        verifications: when and how it was verified, oldest first.
        structure: ``ManifestTotals.structure`` of the copy.
    """

    day: Day
    revision: int
    cause: RevisionCause
    origin: Origin
    files: int
    bytes: int
    steps: int | None
    fingerprint: str
    warnings: list[str]
    run: str
    copied: datetime
    copy_seconds: float
    verifications: list[Verification]
    structure: str
