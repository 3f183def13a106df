"""The VMs of a vault, and their paths, which only this module and ``published.py`` know.

    <vault>/vm/<vm>/2026-11-22T05-00-03Z/
        vda.img       each disk as the guest sees it, raw and sparse
        vda.chunks    SHA-256 of each chunk: what the next generation is compared with
        domain.xml    the definition; nvram.fd and tpm.tar where the VM has them
        record.json   what it is, where from, when, how verified
        SHA256SUMS    `sha256sum -c SHA256SUMS` verifies all files
    <vault>/vm/<vm>/2026-11-22T05-00-03Z.verifications   results of later checks (vault/verification_log.py)
    <vault>/vm/<vm>/2026-11-22T05-00-03Z.protected       who protects it from removal, and why (protection.py)
    <vault>/vm/<vm>/read-whole.json   why its disks are read whole (distrust.py)
    <vault>/.staging/vm/<vm>/
        data/              the same files, incomplete
        vda.received       SHA-256 of the chunks received so far
        vda.kinds          how each of them was received
        begun.json         which backup staging is of; that of another backup is removed, never resumed
        transferred.json   what was transferred; written when the transfer is complete
        draft.json         the record; written when all images are verified

A generation is published once its folder has its final name: that rename is the last step.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime

from include.agent.durable_files import fsync, write_json
from include.errors import BackupError, VaultError
from include.models import Model
from include.names import named, shown
from include.vault.clock import is_old, trusted_first
from include.vault.free_space import disk_errors
from include.vault.vault import Vault
from include.vms.generation_name import folder_name, instant_of, to_the_second
from include.vms.protection import PROTECTED, Protection
from include.vms.published import VERIFICATIONS, GenerationFiles, PublishedVm

__all__ = [
    "PublishedVm", "StagedVm", "VmArchive",
    "drop", "folder_name", "instant_of", "to_the_second",
]  # fmt: skip


class _StagedBackup(Model):
    """The backup that staging is of."""

    run: str
    instant: AwareDatetime


@dataclass(frozen=True)
class StagedVm(GenerationFiles):
    """The staging folder of one VM."""

    vm: str
    vault_root: Path

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.vault_root / ".staging" / "vm" / folder_name(self.vm)

    @property
    def data(self) -> Path:
        """The folder that is published by renaming it."""
        return self.folder / "data"

    @property
    def used_bytes(self) -> int:
        """The space that is used by what was received so far."""
        if not self.data.exists():
            return 0
        return sum(path.stat().st_blocks * 512 for path in self.data.iterdir())

    @property
    def sizes(self) -> dict[str, int]:
        """The size in bytes of each file but those that publication writes."""
        later = (self.record_file.name, self.sums.name)
        return {path.name: path.stat().st_size for path in self.data.iterdir() if path.name not in later}

    def received(self, disk: str) -> Path:
        """The SHA-256 of each chunk received so far, in order; the transfer resumes after the last."""
        return self.folder / f"{folder_name(disk)}.received"

    def kinds(self, disk: str) -> Path:
        """How each chunk was received, a letter each: the kind of its frame."""
        return self.folder / f"{folder_name(disk)}.kinds"

    @property
    def begun(self) -> Path:
        """Which backup staging is of; written before anything else."""
        return self.folder / "begun.json"

    @property
    def transferred(self) -> Path:
        """What was transferred; written when the transfer is complete."""
        return self.folder / "transferred.json"

    @property
    def draft(self) -> Path:
        """The record and the checksums; written when all images are verified."""
        return self.folder / "draft.json"

    @property
    def run(self) -> str | None:
        """The run that staging is of; None where no backup was begun."""
        backup = self._backup
        return backup.run if backup else None

    def is_of(self, run: str, instant: datetime) -> bool:
        """Check whether staging is of the backup that this run made at this instant."""
        return self._backup == _StagedBackup(run=run, instant=instant)

    def begin(self, run: str, instant: datetime) -> None:
        """Prepare staging for a backup: what was received of it is kept, that of any other backup is removed.

        Clocks can't tell which of two backups is the later one. The host has confirmed that this one is open.
        """
        if self.is_of(run, instant):
            return
        self.clear()
        self.data.mkdir(mode=0o700)  # disks contain private data and keys
        write_json(self.begun, _StagedBackup(run=run, instant=instant).model_dump(mode="json"))

    @property
    def _backup(self) -> _StagedBackup | None:
        try:
            return _StagedBackup.model_validate_json(self.begun.read_bytes())
        except (FileNotFoundError, ValueError):  # damaged: removed by the next backup
            return None

    def clear(self) -> None:
        """Empty the staging folder; the caller has locked the VM."""
        # The files that declare data complete go first: incomplete data must never look complete.
        for declaration in (self.draft, self.transferred, self.begun):
            declaration.unlink(missing_ok=True)
        fsync(self.folder)
        for item in self.folder.iterdir():
            drop(item)


@dataclass(frozen=True)
class VmArchive:
    """The VMs of a vault."""

    vault: Vault

    def of(self, vm: str) -> list[PublishedVm]:
        """Return the published generations of a VM, oldest first; before them those dated in the future."""
        return [generation for generation in self.every(vm) if generation.record_file.exists()]

    def every(self, vm: str) -> list[PublishedVm]:
        """Return the same, and those that have lost their record, or all but what is beside their folder."""
        names = _names(self._folder / folder_name(vm))
        stems = {name.removesuffix(VERIFICATIONS).removesuffix(PROTECTED) for name in names}
        instants = filter(None, map(instant_of, stems))
        found = [PublishedVm(vm, instant, self.vault.root) for instant in instants]
        there = (generation for generation in found if generation.folder.exists() or generation.is_lost)
        return sorted(there, key=lambda generation: trusted_first(generation.instant))

    def named(self, vm: str, generation: str) -> PublishedVm:
        """Return a generation by its name; the name may be anything.

        Raises:
            VaultError: the vault has no such generation.
            BackupError: it can't be the name of a VM.
        """
        found = {one.name: one for one in self.every(vm)}
        if generation in found:
            return found[generation]
        those = f", only {named(sorted(found))}" if found else ""
        raise VaultError(f"The vault has no generation {shown(generation)} of {shown(vm)}{those}.")

    def protect(self, vm: str, generation: str, *, who: str, why: str) -> Protection:
        """Protect a generation from removal, until :meth:`lift_protection`; it is on the disk then.

        Args:
            vm: the VM's name.
            generation: its generation's name, such as ``2026-11-22T05-00-03Z``.
            who: who protects it.
            why: why, as one line.

        Raises:
            VaultError: there is no such generation, or somebody protects it already.
            RescheduleError: it is being removed.
            NoSpaceError: the vault is full.
            BackupError: a name, or the reason, can't be used.
        """
        published, protection = self.named(vm, generation), Protection.now(who, why)
        self._require_inside(vm)
        with (
            disk_errors(self.vault.root),
            self.vault.lock_published(published.folder, f"{vm} {generation}"),
        ):
            if not published.folder.is_dir():
                raise VaultError(f"{published.folder} is gone. There is nothing to protect.")
            if is_set := published.protection:
                raise VaultError(
                    f"{vm} {generation} is {is_set.reason}. Lift that first; nothing was changed."
                )
            published.protection_file.write(protection)
        return protection

    def lift_protection(self, vm: str, generation: str) -> Protection:
        """Lift the protection of a generation, and return it.

        Raises:
            VaultError: there is no such generation, or it isn't protected.
            BackupError: a name can't be used.
        """
        published = self.named(vm, generation)
        self._require_inside(vm)
        lifted = published.protection
        if not lifted:
            raise VaultError(f"{vm} {generation} isn't protected. Nothing was changed.")
        with disk_errors(self.vault.root):
            published.protection_file.remove()
        return lifted

    def of_run(self, vm: str, run: str) -> PublishedVm | None:
        """Return the generation of a VM that a run published; None if it published none."""
        found = ((generation, generation.readable_record) for generation in self.of(vm))
        return next((generation for generation, record in found if record and record.run == run), None)

    def vms(self) -> list[str]:
        """Return the names of the VMs that have a published generation."""
        return [name for name in self.names() if self.of(name)]

    def names(self) -> list[str]:
        """Return the names of the VMs that have a folder in the vault."""
        return list(_vms_in(self._folder))

    def staged(self, vm: str) -> StagedVm:
        """Return a VM's staging folder; it need not exist."""
        return StagedVm(vm, self.vault.root)

    def left_staged(self, older_than_s: float) -> list[StagedVm]:
        """Return the staging folders of VMs that haven't changed for so many seconds."""
        left = []
        for name in _vms_in(self.vault.root / ".staging" / "vm"):
            staged = self.staged(name)
            with suppress(FileNotFoundError):  # published meanwhile
                if is_old(staged.folder, older_than_s):
                    left.append(staged)
        return left

    @contextmanager
    def lock(self, vm: str) -> Iterator[StagedVm]:
        """Lock one VM against other runs for the time of a block, and yield its staging folder.

        Raises:
            RescheduleError: another run works on this VM, or old generations are being removed.
            NoSpaceError: the file system filled up.
            VaultError: the vault can't be written, or a link leads out of it.
        """
        self._require_inside(vm)
        staged = self.staged(vm)
        with self.vault.lock_staging(staged.data, vm):
            yield staged

    def folder_of(self, vm: str) -> Path:
        """Return the folder of a VM's generations; it need not exist."""
        return self._folder / folder_name(vm)

    def _require_inside(self, vm: str) -> None:
        published = self._folder / folder_name(vm)
        if published.resolve() != self.vault.root.resolve() / "vm" / folder_name(vm):
            raise VaultError(f"{published} leads out of the vault through a link. Remove the link.")

    @property
    def _folder(self) -> Path:
        return self.vault.root / "vm"


def drop(item: Path) -> None:
    """Remove a file, a link, or a folder with its content; never the target of a link."""
    shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()


def _vms_in(folder: Path) -> Iterator[str]:
    for name in _names(folder):
        with suppress(BackupError):  # not a VM's folder
            yield folder_name(name)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
