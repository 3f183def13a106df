"""The vault: where proven days live, and the only code that knows its paths.

    <vault>/.inpe-vault.json          the marker; without it nothing is read, written or removed
    <vault>/.lock                     copying holds it shared, removing alone
    <vault>/supim/2026/268/           the day, read-only, exactly as at the source
                  2026/268.sha256     `cd 268 && sha256sum -c ../268.sha256`
                  2026/268.json       its record
                  2026/268.proofs     what was found of it later on (proofs.py)
                  2026/268.r2/ ...    a later, different version of the same day
    <vault>/.staging/supim/2026-268/  work in progress: data/ and what is known of it

A day counts as published when its folder has its final name: that rename is the last step.

    python -m include.vault create /backup/vault
"""

import errno
import fcntl
import json
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from include.errors import BackupError, InvalidDayError, VaultError, VaultUnmarkedError
from include.locks import locked
from include.ordinal_day import OrdinalDay
from include.published_day import PublishedDay
from include.space import disk_errors

__all__ = ["MARKER", "PublishedDay", "StagedDay", "Vault"]

MARKER = ".inpe-vault.json"
_REVISION = re.compile(r"(?P<day>[0-9]{3})(?:\.r(?P<revision>[2-9]|[1-9][0-9]+))?")


@dataclass(frozen=True)
class StagedDay:
    """A day's work in progress, and its paths."""

    day: OrdinalDay
    vault_root: Path

    @property
    def folder(self) -> Path:
        """All of it."""
        return self.vault_root / ".staging" / "supim" / str(self.day)

    @property
    def data(self) -> Path:
        """The copy."""
        return self.folder / "data"

    @property
    def source_listing(self) -> Path:
        """What the source held, hashed there; written when the copy is whole."""
        return self.folder / "source.json"

    @property
    def draft(self) -> Path:
        """The record to be and the copy's listing; written when the copy is proven."""
        return self.folder / "draft.json"

    @property
    def publishing(self) -> Path:
        """Exists from the moment when publishing begins."""
        return self.folder / "publishing"

    def begin_copy(self) -> None:
        """Make ready for rsync: what was copied before stays, what was concluded from it goes."""
        if self.publishing.exists():
            self.clear()  # it may share files with the vault by now, and rsync writes in place
        self.source_listing.unlink(missing_ok=True)
        self.draft.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the work in progress, and nothing else; the caller holds the day."""
        for folder, _, _ in os.walk(self.folder):
            Path(folder).chmod(0o700)  # publishing makes folders read-only, and may have been cut off
        # The mark goes last: as long as data may share files with the vault, it says so.
        for item in sorted(self.folder.iterdir(), key=lambda item: item == self.publishing):
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()


@dataclass(frozen=True)
class Vault:
    """A marked folder that keeps days. Open one with :meth:`open`."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> Self:
        """Open a vault.

        Raises:
            VaultUnmarkedError: no marker, as when the disk isn't mounted.
        """
        if not (root / MARKER).is_file():
            raise VaultUnmarkedError(
                f"{root} holds no vault marker ({MARKER}). Is its disk mounted? "
                f"A new vault is made once, with: python -m include.vault create {root}"
            )
        return cls(root)

    @classmethod
    def create(cls, root: Path) -> Self:
        """Mark a folder as a vault; it is made when missing, and must be empty.

        Raises:
            VaultError: the folder holds something already.
        """
        root.mkdir(parents=True, exist_ok=True)
        if any(name != "lost+found" for name in os.listdir(root)):  # noqa: PTH208 - names, not paths
            raise VaultError(f"{root} isn't empty. A vault is made in an empty folder.")
        marker = {"vault": str(uuid.uuid4()), "created": datetime.now(UTC).isoformat(timespec="seconds")}
        (root / MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")
        return cls(root)

    @property
    def id(self) -> str:
        """What tells this vault from any other, wherever it's mounted.

        Raises:
            VaultError: the marker can't be read.
        """
        marker = self.root / MARKER
        try:
            return str(json.loads(marker.read_bytes())["vault"])
        except (OSError, ValueError, KeyError, TypeError) as damaged:
            raise VaultError(f"The vault's marker {marker} can't be read: {damaged!r}") from damaged

    def published(self) -> list[PublishedDay]:
        """Give every published revision of every day, oldest first."""
        years = (year for year in _names(self._supim) if re.fullmatch("[0-9]{4}", year))
        return sorted(found for year in years for found in self._found_in(int(year)))

    def lost(self) -> list[PublishedDay]:
        """Give the revisions of which only the record or only the folder is left, oldest first."""
        years = (year for year in _names(self._supim) if re.fullmatch("[0-9]{4}", year))
        half = sorted(found for year in years for found in self._found_in(int(year), whole=False))
        # While a day is being published, its record is there a moment before its folder.
        return [found for found in half if not self.staged(found.day).publishing.exists()]

    def sound(self, days: Iterable[OrdinalDay]) -> set[OrdinalDay]:
        """Give those of some days whose newest revision isn't known to be damaged."""
        newest = {found.day: found for found in self.published()}
        return {day for day in days if day in newest and not newest[day].damage}

    def revisions(self, day: OrdinalDay) -> list[PublishedDay]:
        """Give the published revisions of one day, first to last."""
        return sorted(found for found in self._found_in(day.year) if found.day == day)

    def next_revision(self, day: OrdinalDay) -> PublishedDay:
        """Give the first revision after the published ones that nothing has the name of, ours or not."""
        revision = max((found.revision for found in self.revisions(day)), default=0) + 1
        while _is_taken(free := self._revision(day, revision)):
            revision += 1
        return free

    def staged(self, day: OrdinalDay) -> StagedDay:
        """Give the place of a day's work in progress; it need not exist."""
        return StagedDay(day, self.root)

    def left_staged(self, older_than_s: float) -> list[StagedDay]:
        """Give the days whose work in progress has not been touched for a while."""
        left = []
        for name in sorted(_names(self.root / ".staging" / "supim")):
            with suppress(InvalidDayError, FileNotFoundError):  # not ours, or finished meanwhile
                staged = self.staged(OrdinalDay.parse(name))
                if time.time() - staged.folder.stat().st_mtime > older_than_s:
                    left.append(staged)
        return left

    @contextmanager
    def hold(self, day: OrdinalDay) -> Iterator[StagedDay]:
        """Keep everybody else off one day, and off removing anything, for the time of a block.

        Kernel locks: they end with the process, however it ends.

        Raises:
            NotYetError: another run is at this day, or something is being removed.
            NoSpaceError: the file system filled up.
            VaultError: the vault can't be written, or its staging leads out of it.
        """
        staged = self.staged(day)
        with self.hold_staging(staged.data, str(day)):
            yield staged

    @contextmanager
    def hold_staging(self, data: Path, who: str) -> Iterator[None]:
        """Do what :meth:`hold` does, for any place of staging, given by its ``data``."""
        if data.resolve() != self.root.resolve() / data.relative_to(self.root):
            raise VaultError(f"{data} leads out of the vault through a link. Remove the link.")
        with (
            disk_errors(self.root),
            locked(self.root / ".lock", fcntl.LOCK_SH, who),
            locked(data.parent, fcntl.LOCK_EX, who),
        ):
            try:
                yield
            finally:
                with suppress(OSError):  # keeps what is staged, and leaves no empty folder behind
                    data.parent.rmdir()

    @contextmanager
    def hold_alone(self, who: str) -> Iterator[None]:
        """Keep everybody else off the whole vault for the time of a block: nothing is copied meanwhile.

        Raises:
            NotYetError: something is being copied, or removed.
            VaultError: the vault can't be written.
        """
        with disk_errors(self.root), locked(self.root / ".lock", fcntl.LOCK_EX, who):
            yield

    @contextmanager
    def hold_still(self, who: str) -> Iterator[None]:
        """Keep everybody from removing anything for the time of a block; copying goes on.

        Raises:
            NotYetError: something is being removed.
        """
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.root / ".lock", fcntl.LOCK_SH, who))
            except OSError as error:  # nobody can remove anything where the lock itself can't be made
                if error.errno not in (errno.EROFS, errno.EACCES):
                    raise
            yield

    @property
    def _supim(self) -> Path:
        return self.root / "supim"

    def _revision(self, day: OrdinalDay, revision: int) -> PublishedDay:
        return PublishedDay(day, revision, self._supim / f"{day.year:04d}")

    def _found_in(self, year: int, *, whole: bool = True) -> Iterator[PublishedDay]:
        names = set(_names(self._supim / f"{year:04d}"))
        stems = {name.removesuffix(".json") for name in names}
        for name in stems:
            written = _REVISION.fullmatch(name)
            if written and {name, f"{name}.json"}.issubset(names) is whole:
                try:
                    day = OrdinalDay(year, int(written["day"]))
                except InvalidDayError:
                    continue
                yield self._revision(day, int(written["revision"] or 1))


def _is_taken(revision: PublishedDay) -> bool:
    # What was found of a revision that is gone must not be taken for another's.
    return os.path.lexists(revision.folder) or os.path.lexists(revision.proofs.path)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - ten years of names are read at once; paths cost ten times more
    except FileNotFoundError:
        return []


def main(arguments: list[str] | None = None) -> int:
    """Make a vault: ``python -m include.vault create FOLDER``."""
    import argparse  # noqa: PLC0415 - every task imports this module, and none of them parses arguments

    parser = argparse.ArgumentParser(prog="python -m include.vault", description="Make a vault.")
    commands = parser.add_subparsers(required=True)
    create = commands.add_parser("create", help="mark an empty folder as a vault, once")
    create.add_argument("folder", type=Path)
    root: Path = parser.parse_args(arguments).folder.absolute()
    try:
        Vault.create(root)
    except (BackupError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to its terminal
        return 1
    print(f"{root} is a vault now.")  # noqa: T201 - a command speaks to its terminal
    return 0


if __name__ == "__main__":
    sys.exit(main())
