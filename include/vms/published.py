"""One published generation of a VM."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.errors import VaultError
from include.vault.clock import is_ahead
from include.vault.files import FOLDER_MODE, read_whole
from include.vault.verification_log import VerificationLog
from include.vms.generation_name import folder_name, generation_name, to_the_second
from include.vms.protection import PROTECTED, Protection, ProtectionFile
from include.vms.record import VmRecord

VERIFICATIONS = ".verifications"
"""The suffix of a generation's verification log."""


def removal_folder(vault_root: Path) -> Path:
    """Return the folder for generations that are being removed; it need not exist."""
    return vault_root / ".staging" / "removing"


class GenerationFiles(ABC):
    """The files of a generation, published or staged."""

    @property
    @abstractmethod
    def data(self) -> Path:
        """The folder that contains them."""

    def image(self, disk: str) -> Path:
        """A disk's raw image."""
        return self.data / f"{folder_name(disk)}.img"

    def chunks(self, disk: str) -> Path:
        """The SHA-256 of each chunk of a disk."""
        return self.data / f"{folder_name(disk)}.chunks"

    def file(self, name: str) -> Path:
        """Another file, such as ``domain.xml``."""
        return self.data / folder_name(name)

    @property
    def record_file(self) -> Path:
        """The record: what it is, where from, when, how verified."""
        return self.data / "record.json"

    @property
    def sums(self) -> Path:
        """The SHA-256 of every other file."""
        return self.data / "SHA256SUMS"


@dataclass(frozen=True, order=True)
class PublishedVm(GenerationFiles):
    """One generation of a VM in the vault, and its paths."""

    vm: str
    instant: datetime
    vault_root: Path

    @property
    def name(self) -> str:
        """The folder's name: the instant, to the second, in UTC."""
        return generation_name(self.instant)

    @property
    def folder(self) -> Path:
        """The generation's folder."""
        return self.vault_root / "vm" / folder_name(self.vm) / self.name

    @property
    def data(self) -> Path:
        """The generation's folder."""
        return self.folder

    @property
    def removal_path(self) -> Path:
        """Where its folder is moved to be deleted, which may take a while or be interrupted."""
        return removal_folder(self.vault_root) / f"{self.name} {self.vm}"

    @property
    def is_lost(self) -> bool:
        """Whether its folder is gone, but its verification log or protection is left."""
        # In this order: during a removal, one of these paths exists until the log is deleted.
        if self.folder.exists() or self.removal_path.exists():
            return False
        return self.verification_log.path.exists() or self.protection is not None

    @property
    def verification_log(self) -> VerificationLog:
        """The results of its checks since it was published."""
        return VerificationLog(self.folder.with_name(f"{self.name}{VERIFICATIONS}"))

    @property
    def protection_file(self) -> ProtectionFile:
        """The file that protects it from removal."""
        return ProtectionFile(self.folder.with_name(f"{self.name}{PROTECTED}"))

    @property
    def protection(self) -> Protection | None:
        """By whom and why it is protected from removal; None if it isn't."""
        return self.protection_file.read()

    @property
    def record(self) -> VmRecord:
        """The record, read.

        Raises:
            VaultError: it is missing or damaged.
        """
        try:
            return VmRecord.model_validate_json(read_whole(self.record_file))
        except (OSError, ValueError) as damaged:
            raise VaultError(f"The record {self.record_file} can't be read: {damaged}") from damaged

    @property
    def readable_record(self) -> VmRecord | None:
        """The record; None where it can't be read, so that the generation counts as unverified."""
        try:
            return self.record
        except VaultError:
            return None

    @property
    def damage(self) -> str | None:
        """What is known to be wrong with it, as a sentence; None if nothing is."""
        if not (damage := self.verification_log.damage) and not self.readable_record:
            damage = f"{self.record_file} can't be read."
        return damage

    @property
    def is_ahead(self) -> bool:
        """Whether it is dated in the future, as a clock was wrong: then nothing may depend on its date."""
        return is_ahead(self.instant)

    @property
    def dated(self) -> datetime:
        """When it was made: its instant, or when it was verified if it is dated in the future.

        Raises:
            VaultError: its record can't be read.
        """
        return to_the_second(self.record.verifications[0].when) if self.is_ahead else self.instant

    @property
    def suspect(self) -> str | None:
        """Why it takes no other generation's place, as a sentence; None if it is intact and rightly dated."""
        if not self.is_ahead or self.damage:
            return self.damage
        return f"It is dated {self.name}, which is in the future: a clock was wrong."

    def seal(self) -> None:
        """Make its folder read-only, after the rename, which needs it writable."""
        self.folder.chmod(FOLDER_MODE)
