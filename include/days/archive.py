"""The days of a vault, published and staged. Only this package knows their paths.

    <vault>/supim/2026/268/           the day, read-only, as at the source
                  2026/268.sha256     `cd 268 && sha256sum -c ../268.sha256`
                  2026/268.sizes      the size of each file, in bytes
                  2026/268.json       its record
                  2026/268.verifications  its scrubs (vault/verification_log.py)
                  2026/268.png        a map drawn from it (report/pictures/)
                  2026/268.r2/ ...    revision 2: of other data, or in place of a damaged one
    <vault>/.staging/supim/2026-268/  work in progress (staged.py)

A day is published once its folder has its final name: that rename is the last step.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from include.days.published import PublishedDay
from include.days.staged import StagedDay
from include.errors import InvalidDayError
from include.ordinal_day import OrdinalDay
from include.vault.clock import is_old
from include.vault.vault import Vault

_BESIDE = (".json", ".sha256", ".sizes", ".verifications")
_REVISION = re.compile(r"(?P<day>[0-9]{3})(?:\.r(?P<revision>[2-9]|[1-9][0-9]+))?")


@dataclass(frozen=True)
class DayArchive:
    """The days of a vault.

    Args:
        vault: the vault.
    """

    vault: Vault

    def published(self) -> list[PublishedDay]:
        """Return every published revision of every day, oldest first."""
        return sorted(found for year in self._years() for found in self._found_in(year))

    def lost(self) -> list[PublishedDay]:
        """Return the revisions without a record or without a folder."""
        half = sorted(found for year in self._years() for found in self._found_in(year, complete=False))
        # While a day is being published, its record appears a moment before its folder.
        return [found for found in half if not self.staged(found.day).publishing.exists()]

    def undamaged(self, days: Iterable[OrdinalDay]) -> set[OrdinalDay]:
        """Return those of the days whose newest revision isn't known to be damaged."""
        newest = {found.day: found for found in self.published()}
        return {day for day in days if day in newest and not newest[day].damage}

    def revisions(self, day: OrdinalDay) -> list[PublishedDay]:
        """Return the published revisions of a day, oldest first."""
        return sorted(found for found in self._found_in(day.year) if found.day == day)

    def next_revision(self, day: OrdinalDay) -> PublishedDay:
        """Return the first revision after the published ones whose name is free."""
        revision = max((found.revision for found in self.revisions(day)), default=0) + 1
        while _is_taken(free := self._revision(day, revision)):
            revision += 1
        return free

    def staged(self, day: OrdinalDay) -> StagedDay:
        """Return a day's work in progress, which need not exist."""
        return StagedDay(day, self.vault.root)

    def left_staged(self, older_than_s: float) -> list[StagedDay]:
        """Return the work in progress that hasn't been touched for a number of seconds, oldest day first."""
        left = []
        for name in sorted(_names(self.vault.root / ".staging" / "supim")):
            with suppress(InvalidDayError, FileNotFoundError):  # not a day's, or finished meanwhile
                staged = self.staged(OrdinalDay.parse(name))
                if is_old(staged.folder, older_than_s):
                    left.append(staged)
        return left

    @contextmanager
    def lock(self, day: OrdinalDay) -> Iterator[StagedDay]:
        """Lock a day during the block, and keep removals out of the vault; see ``Vault.lock_staging``.

        Raises:
            RescheduleError: another run has the day locked, or something is being removed.
            NoSpaceError: the file system filled up.
            VaultError: the vault can't be written, or its staging leads out of it through a link.
        """
        staged = self.staged(day)
        with self.vault.lock_staging(staged.data, str(day)):
            yield staged

    @property
    def _supim(self) -> Path:
        return self.vault.root / "supim"

    def _revision(self, day: OrdinalDay, revision: int) -> PublishedDay:
        return PublishedDay(day, revision, self._supim / f"{day.year:04d}")

    def _years(self) -> Iterator[int]:
        return (int(name) for name in _names(self._supim) if re.fullmatch("[0-9]{4}", name))

    def _found_in(self, year: int, *, complete: bool = True) -> Iterator[PublishedDay]:
        names = set(_names(self._supim / f"{year:04d}"))
        stems = {name.removesuffix(ending) for ending in _BESIDE for name in names}
        for name in stems:
            match = _REVISION.fullmatch(name)
            if match and {name, f"{name}.json"}.issubset(names) is complete:
                try:
                    day = OrdinalDay(year, int(match["day"]))
                except InvalidDayError:
                    continue
                yield self._revision(day, int(match["revision"] or 1))


def _is_taken(revision: PublishedDay) -> bool:
    # The log of a revision that is gone must not become another revision's.
    return os.path.lexists(revision.folder) or os.path.lexists(revision.verification_log.path)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - ten years of names are read at once; pathlib is ten times slower
    except FileNotFoundError:
        return []
