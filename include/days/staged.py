"""The staging folder of a day: its work in progress."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from include.agent.durable_files import fsync
from include.days import folder_scan
from include.days.manifest import Manifest
from include.days.manifest_builder import manifest_of
from include.days.manifest_totals import ManifestTotals
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
        return self.folder / "source.json.gz"

    @property
    def draft(self) -> Path:
        """The record and the copy's manifest; written when the copy is verified."""
        return self.folder / "draft.json.gz"

    @property
    def publishing(self) -> Path:
        """A marker that exists once publishing has begun."""
        return self.folder / "publishing"

    @property
    def copied(self) -> ManifestTotals:
        """How much was copied before."""
        if not self.data.exists():
            return ManifestTotals()
        return manifest_of(folder_scan.walk(os.fsencode(self.data))).totals

    def descriptors(self, copy: Manifest) -> dict[str, str]:
        """Return the texts of the copy's GrADS descriptors by their paths."""
        named = (list(entry) for entry in copy.files if folder_scan.is_descriptor(entry.path, entry.kind))
        described = folder_scan.described(os.fsencode(self.data), named)
        return {entry[0]: entry[-1] for entry in described if len(entry) == folder_scan.DESCRIBED_FIELDS}

    def begin_copy(self) -> None:
        """Prepare for rsync: keep what was copied before, remove the results of its verification."""
        if self.publishing.exists():
            self.clear()  # it may share files with a published day, and rsync writes in place
        self.withdraw(self.source_manifest, self.draft)

    def withdraw(self, *declarations: Path) -> None:
        """Remove files that declare the copy complete or verified; they are gone before the copy changes."""
        for declaration in declarations:
            declaration.unlink(missing_ok=True)
        fsync(self.folder)

    def clear(self) -> None:
        """Remove the work in progress and nothing else; the caller has locked the day."""
        for folder, _, _ in os.walk(self.folder):
            Path(folder).chmod(0o700)  # an interrupted publication leaves read-only folders
        self.withdraw(self.source_manifest, self.draft)
        for item in self.folder.iterdir():
            if item != self.publishing:
                shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
        fsync(self.folder)
        # The marker goes last: it must exist as long as data may share files with a published day.
        self.publishing.unlink(missing_ok=True)
