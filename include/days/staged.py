"""The staging folder of a day: its work in progress."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from include.days import folder_scan
from include.days.manifest import Manifest
from include.ordinal_day import OrdinalDay


@dataclass(frozen=True)
class StagedDay:
    """The staging folder of one day, and its paths.

    Args:
        day: the day.
        vault_root: the vault's folder.
    """

    day: OrdinalDay
    vault_root: Path

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self.vault_root / ".staging" / "supim" / str(self.day)

    @property
    def data(self) -> Path:
        """The copy: the folder that is published by renaming it."""
        return self.folder / "data"

    @property
    def source_manifest(self) -> Path:
        """The source's manifest, hashed there; written when the copy is complete."""
        return self.folder / "source.json"

    @property
    def draft(self) -> Path:
        """The record and the copy's manifest; written when the copy is verified."""
        return self.folder / "draft.json"

    @property
    def publishing(self) -> Path:
        """A marker that exists once publishing has begun."""
        return self.folder / "publishing"

    @property
    def copied(self) -> Manifest:
        """What was copied before, without hashes."""
        if not self.data.exists():
            return Manifest(())
        return Manifest.read(folder_scan.scanned(os.fsencode(self.data)))

    def begin_copy(self) -> None:
        """Prepare for rsync: keep what was copied before, remove the results of its verification."""
        if self.publishing.exists():
            self.clear()  # it may share files with a published day, and rsync writes in place
        self.source_manifest.unlink(missing_ok=True)
        self.draft.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the work in progress and nothing else; the caller has locked the day."""
        for folder, _, _ in os.walk(self.folder):
            Path(folder).chmod(0o700)  # an interrupted publication leaves read-only folders
        # The marker goes last: it must exist as long as data may share files with a published day.
        for item in sorted(self.folder.iterdir(), key=lambda item: item == self.publishing):
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
