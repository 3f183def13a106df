"""Generations: where the vault keeps machines. Who knows these paths is here or in published_generation.py.

    <vault>/vm/<machine>/2026-11-22T05-00-03Z/
        vda.img       each disk as the guest saw it, raw and sparse
        vda.chunks    SHA-256 of each chunk: what the next generation is compared with
        domain.xml    the definition; nvram.fd and tpm.tar where the machine has them
        record.json   what it is, where from, when, how proven
        SHA256SUMS    `sha256sum -c SHA256SUMS` proves all of it
    <vault>/vm/<machine>/2026-11-22T05-00-03Z.proofs   what was found of it later on (proofs.py)
    <vault>/.staging/vm/<machine>/
        data/         the same, in work
        frozen.json   of which freeze; what belongs to another one isn't gone on with
        draft.json    the record to be; written when all of it is proven

A generation counts as published when its folder has its final name: that rename is the last step.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime

from include.day_backup import write_json
from include.errors import BackupError, VaultError
from include.facts import Facts
from include.machines.generation_name import folder_name, instant_of, to_the_second
from include.machines.published_generation import PROOFS, GenerationFiles, PublishedGeneration
from include.vault import Vault

__all__ = [
    "Generations", "PublishedGeneration", "StagedGeneration",
    "drop", "folder_name", "instant_of", "to_the_second",
]  # fmt: skip


class _Freeze(Facts):
    """Which freeze staging is of."""

    run: str
    instant: AwareDatetime


@dataclass(frozen=True)
class StagedGeneration(GenerationFiles):
    """A machine's work in progress, and its paths."""

    machine: str
    vault_root: Path

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.vault_root / ".staging" / "vm" / folder_name(self.machine)

    @property
    def data(self) -> Path:
        """What will be published."""
        return self.folder / "data"

    def have(self, disk: str) -> Path:
        """The hashes of the chunks that came, in order; their number is the place to go on at."""
        return self.folder / f"{folder_name(disk)}.have"

    @property
    def frozen(self) -> Path:
        """The freeze that all of it is of; written before anything else."""
        return self.folder / "frozen.json"

    @property
    def pulled(self) -> Path:
        """What the transfer gave; written when all of it came."""
        return self.folder / "pulled.json"

    @property
    def draft(self) -> Path:
        """The record to be, and the sums; written when all of it is proven."""
        return self.folder / "draft.json"

    @property
    def run(self) -> str | None:
        """The run that works at it; None where nothing was begun."""
        freeze = self._freeze
        return freeze.run if freeze else None

    def is_of(self, run: str, instant: datetime) -> bool:
        """Tell whether it's one freeze's work."""
        return self._freeze == _Freeze(run=run, instant=instant)

    def begin(self, run: str, instant: datetime) -> None:
        """Make ready for the disks of one freeze: what came of them stays, another freeze's work goes.

        No clock can tell which of two is the later one: the host has told the caller that it holds this.
        """
        if self.is_of(run, instant):
            return
        self.clear()
        self.data.mkdir(mode=0o700)  # what a machine's users and its keys hold is nobody else's business
        write_json(self.frozen, _Freeze(run=run, instant=instant).model_dump(mode="json"))

    @property
    def _freeze(self) -> _Freeze | None:
        try:
            return _Freeze.model_validate_json(self.frozen.read_bytes())
        except (FileNotFoundError, ValueError):  # damaged: it's nobody's, and goes at the next beginning
            return None

    def clear(self) -> None:
        """Remove the work in progress, and nothing else; the caller holds the machine."""
        # Conclusions go first: half the data must never look like all of it.
        for conclusion in (self.draft, self.pulled, self.frozen):
            conclusion.unlink(missing_ok=True)
        for item in self.folder.iterdir():
            drop(item)


@dataclass(frozen=True)
class Generations:
    """The machines of a vault."""

    vault: Vault

    def of(self, machine: str) -> list[PublishedGeneration]:
        """Give the published generations of a machine, oldest first."""
        return [one for one in self.every(machine) if one.record_file.exists()]

    def every(self, machine: str) -> list[PublishedGeneration]:
        """Give the same, and those that have lost their record, or all but what was found of them."""
        stems = {name.removesuffix(PROOFS) for name in _names(self._machines / folder_name(machine))}
        found = [
            PublishedGeneration(machine, instant, self.vault.root)
            for instant in filter(None, map(instant_of, stems))
        ]
        return sorted(one for one in found if one.folder.exists() or one.is_lost)

    def machines(self) -> list[str]:
        """Give the names of the machines that have a published generation."""
        return [name for name in self.names() if self.of(name)]

    def names(self) -> list[str]:
        """Give the names of the machines that the vault has a folder of."""
        return list(_machines_in(self._machines))

    def staged(self, machine: str) -> StagedGeneration:
        """Give the place of a machine's work in progress; it need not exist."""
        return StagedGeneration(machine, self.vault.root)

    def left_staged(self, older_than_s: float) -> list[StagedGeneration]:
        """Give the machines whose work in progress has not been touched for a while."""
        left = []
        for name in _machines_in(self.vault.root / ".staging" / "vm"):
            staged = self.staged(name)
            with suppress(FileNotFoundError):  # finished meanwhile
                if time.time() - staged.folder.stat().st_mtime > older_than_s:
                    left.append(staged)
        return left

    @contextmanager
    def hold(self, machine: str) -> Iterator[StagedGeneration]:
        """Keep everybody else off one machine, as ``Vault.hold`` does for a day.

        Raises:
            NotYetError: another run is at this machine, or something is being removed.
            NoSpaceError: the file system filled up.
            VaultError: the vault can't be written, or a link leads out of it.
        """
        staged, published = self.staged(machine), self._machines / folder_name(machine)
        if published.resolve() != self.vault.root.resolve() / "vm" / folder_name(machine):
            raise VaultError(f"{published} leads out of the vault through a link. Remove the link.")
        with self.vault.hold_staging(staged.data, machine):
            yield staged

    @property
    def _machines(self) -> Path:
        return self.vault.root / "vm"


def drop(item: Path) -> None:
    """Remove a file, or a folder with all that is in it; never what a link leads to."""
    shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()


def _machines_in(folder: Path) -> Iterator[str]:
    for name in _names(folder):
        with suppress(BackupError):  # somebody else's folder
            yield folder_name(name)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
