"""A published revision of a day."""

from dataclasses import dataclass
from pathlib import Path

from include.days.record import DayRecord
from include.errors import VaultError
from include.ordinal_day import OrdinalDay
from include.vault.files import read_whole
from include.vault.verification_log import VerificationLog


@dataclass(frozen=True, order=True)
class PublishedDay:
    """A published revision of a day, and its paths."""

    day: OrdinalDay
    revision: int
    year_folder: Path

    @property
    def name(self) -> str:
        """The folder's name: ``268``, or ``268.r2`` from the second revision on."""
        return f"{self.day.number:03d}" + (f".r{self.revision}" if self.revision > 1 else "")

    @property
    def folder(self) -> Path:
        """The folder of the data."""
        return self.year_folder / self.name

    @property
    def sums(self) -> Path:
        """The checksum list of its files."""
        return self.year_folder / f"{self.name}.sha256"

    @property
    def sizes(self) -> Path:
        """The list of its files' sizes, which a scrub compares each time."""
        return self.year_folder / f"{self.name}.sizes"

    @property
    def record_file(self) -> Path:
        """The file of its record."""
        return self.year_folder / f"{self.name}.json"

    @property
    def verification_log(self) -> VerificationLog:
        """The log of its scrubs."""
        return VerificationLog(self.year_folder / f"{self.name}.verifications")

    @property
    def picture(self) -> Path:
        """The map drawn from it, which need not exist."""
        return self.year_folder / f"{self.name}.png"

    @property
    def damage(self) -> str | None:
        """Its damage, as a sentence; None if none is known."""
        if damage := self.verification_log.damage:
            return damage
        return None if self.readable_record else f"{self.record_file} can't be read."

    @property
    def fingerprint(self) -> str:
        """The source's fingerprint when it was copied; empty if it is damaged."""
        return "" if self.damage else self.record.fingerprint

    @property
    def record(self) -> DayRecord:
        """Its record.

        Raises:
            VaultError: the record is missing or damaged.
        """
        try:
            return DayRecord.model_validate_json(read_whole(self.record_file))
        except (OSError, ValueError) as damaged:
            raise VaultError(f"The record {self.record_file} can't be read: {damaged}") from damaged

    @property
    def readable_record(self) -> DayRecord | None:
        """Its record; None if that can't be read: the day then counts as unverified."""
        try:
            return self.record
        except VaultError:
            return None
