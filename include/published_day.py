"""One revision of a day in the vault."""

from dataclasses import dataclass
from pathlib import Path

from include.errors import VaultError
from include.ordinal_day import OrdinalDay
from include.proofs import ProofLog
from include.record import Record


@dataclass(frozen=True, order=True)
class PublishedDay:
    """One revision of a day in the vault, and its paths."""

    day: OrdinalDay
    revision: int
    year_folder: Path

    @property
    def name(self) -> str:
        """The folder's name: ``268``, or ``268.r2`` for a revision."""
        return f"{self.day.number:03d}" + (f".r{self.revision}" if self.revision > 1 else "")

    @property
    def folder(self) -> Path:
        """The data."""
        return self.year_folder / self.name

    @property
    def sums(self) -> Path:
        """The SHA-256 of every file."""
        return self.year_folder / f"{self.name}.sha256"

    @property
    def record_file(self) -> Path:
        """What it is, where from, when, how proven."""
        return self.year_folder / f"{self.name}.json"

    @property
    def proofs(self) -> ProofLog:
        """What was found of it since it was published."""
        return ProofLog(self.year_folder / f"{self.name}.proofs")

    @property
    def picture(self) -> Path:
        """A map drawn from it; it need not exist."""
        return self.year_folder / f"{self.name}.png"

    @property
    def damage(self) -> str | None:
        """What is wrong with it, as a sentence; None as far as anybody knows."""
        if not (told := self.proofs.damage) and not self.readable_record:
            told = f"{self.record_file} can't be read."
        return told

    @property
    def fingerprint(self) -> str:
        """The source's fingerprint when it was copied; empty, like no other, where it is damaged."""
        return "" if self.damage else self.record.fingerprint

    @property
    def record(self) -> Record:
        """The record, read.

        Raises:
            VaultError: it is missing or damaged.
        """
        try:
            return Record.model_validate_json(self.record_file.read_bytes())
        except (OSError, ValueError) as damaged:
            raise VaultError(f"The record {self.record_file} can't be read: {damaged}") from damaged

    @property
    def readable_record(self) -> Record | None:
        """The same; None where it can't be read, by which it's proven to nobody."""
        try:
            return self.record
        except VaultError:
            return None
