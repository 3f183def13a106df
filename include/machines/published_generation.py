"""One published generation of a machine."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.errors import VaultError
from include.machines.generation_name import WRITTEN, folder_name
from include.machines.machine_record import MachineRecord
from include.proofs import ProofLog
from include.publication import FOLDER_MODE

PROOFS = ".proofs"
"""What the name of the file ends with that keeps what was found of it."""


def given_up_in(vault_root: Path) -> Path:
    """Give the folder of what retention gave up; it need not exist."""
    return vault_root / ".staging" / "given-up"


class GenerationFiles(ABC):
    """The files of a generation, published or in work."""

    @property
    @abstractmethod
    def data(self) -> Path:
        """The folder that holds them."""

    def image(self, disk: str) -> Path:
        """A disk's raw image."""
        return self.data / f"{folder_name(disk)}.img"

    def chunks(self, disk: str) -> Path:
        """The SHA-256 of each chunk of a disk."""
        return self.data / f"{folder_name(disk)}.chunks"

    def file(self, name: str) -> Path:
        """What isn't a disk, such as ``domain.xml``."""
        return self.data / folder_name(name)

    @property
    def record_file(self) -> Path:
        """What it is, where from, when, how proven."""
        return self.data / "record.json"

    @property
    def sums(self) -> Path:
        """The SHA-256 of every file, this one excepted."""
        return self.data / "SHA256SUMS"


@dataclass(frozen=True, order=True)
class PublishedGeneration(GenerationFiles):
    """One generation of a machine in the vault, and its paths."""

    machine: str
    instant: datetime
    vault_root: Path

    @property
    def name(self) -> str:
        """The folder's name: the instant, to the second, in UTC."""
        return self.instant.astimezone(UTC).strftime(WRITTEN)

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.vault_root / "vm" / folder_name(self.machine) / self.name

    @property
    def data(self) -> Path:
        """All of it."""
        return self.folder

    @property
    def given_up(self) -> Path:
        """Where its folder goes when it's removed; deleting it there may take a while, or be cut off."""
        return given_up_in(self.vault_root) / f"{self.name} {self.machine}"

    @property
    def is_lost(self) -> bool:
        """Whether its folder is gone, and what was found of it is left: not removed by retention."""
        # In this order: what is just being removed is at one of these places until its proofs are gone.
        return not self.folder.exists() and not self.given_up.exists() and self.proofs.path.exists()

    @property
    def proofs(self) -> ProofLog:
        """What was found of it since it was published."""
        return ProofLog(self.folder.with_name(f"{self.name}{PROOFS}"))

    @property
    def record(self) -> MachineRecord:
        """The record, read.

        Raises:
            VaultError: it is missing or damaged.
        """
        try:
            return MachineRecord.model_validate_json(self.record_file.read_bytes())
        except (OSError, ValueError) as damaged:
            raise VaultError(f"The record {self.record_file} can't be read: {damaged}") from damaged

    @property
    def readable_record(self) -> MachineRecord | None:
        """The same; None where it can't be read, by which it's proven to nobody."""
        try:
            return self.record
        except VaultError:
            return None

    @property
    def damage(self) -> str | None:
        """What is wrong with it, as a sentence; None as far as anybody knows."""
        if not (told := self.proofs.damage) and not self.readable_record:
            told = f"{self.record_file} can't be read."
        return told

    def seal(self) -> None:
        """Make its folder read-only; only after the move, which needs it writable."""
        self.folder.chmod(FOLDER_MODE)
