"""Check that a published day has exactly the published files, folders and links, and read them if asked to.

Names and sizes are compared with the lists of sizes and of SHA-256, line by line: a day may have a million
files. Folders and links aren't in these lists; the record has a SHA-256 over them (``structure``).
"""

import os
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import count, groupby
from operator import itemgetter
from typing import Any, NamedTuple

from include.days.manifest_totals import structure_of
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.errors import VaultError
from include.names import named, path_order, shown
from include.scrub.faults import Fault, Faults, FirstPaths, size_fault, writable_warnings
from include.scrub.finding import ReadBackup, damaged, is_there, missing
from include.scrub.folder_walk import FolderWalk, WalkedFile
from include.scrub.hashing import Pace, compare, writable
from include.text import counted
from include.vault.files import read_whole
from include.vault.sha256sums import read_sizes, read_sums


def read(day: PublishedDay, pace: Pace) -> ReadBackup:
    """Read all of a day, and return what was found.

    Args:
        day: the day.
        pace: called with the length of each block that is read.

    Raises:
        PermissionError: this user may not read all of it.
    """
    return _checked(day, pace)


def quick_check(day: PublishedDay) -> ReadBackup:
    """Check the names, kinds and sizes of a day's files, folders and links; read none.

    Raises:
        PermissionError: this user may not list all of it.
        VaultError: its list of sizes can't be read.
    """
    found = _checked(day, None)
    if found.unknown and not found.damage:
        raise VaultError(found.unknown)
    return found


def _checked(day: PublishedDay, pace: Pace | None) -> ReadBackup:
    if not is_there(day.folder):
        return damaged(missing(day.folder))
    try:
        record = DayRecord.model_validate_json(read_whole(day.record_file))
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        return damaged(f"{shown(day.record_file.name)} can't be read: {error}")
    check = _DayCheck(day, record)
    try:
        check.run(pace)
    except VaultError as error:
        return damaged(str(error))
    return check.result(pace)


class _Path(NamedTuple):
    """A path of a day, as the lists and the folder have it."""

    path: str
    sha256: str | None
    size: int | None
    found: WalkedFile | None


class _DayCheck:
    def __init__(self, day: PublishedDay, record: DayRecord) -> None:
        self.day, self.record = day, record
        self.faults, self.writable = Faults(), FirstPaths()
        self.listed = self.files = self.bytes = 0
        self.lists_differ = False
        self.published_bytes, self.no_sizes = _published_bytes(day)

    def run(self, pace: Pace | None) -> None:
        """Check everything; read the files where there is a pace.

        Raises:
            PermissionError: this user may not read all of it.
            VaultError: the list of SHA-256 can't be read.
        """
        self.walk = FolderWalk(os.fsencode(self.day.folder))
        intact = self._without_faults()
        if pace:
            compare(self.day.folder, intact, pace, self.faults.add)
        else:
            for _ in intact:
                pass
        for path in self.walk.unreadable:
            self.faults.add(path, Fault.UNREADABLE)

    def _without_faults(self) -> Iterator[tuple[str, str]]:
        """Yield the path and SHA-256 of each file that is there and has its size; note the others' faults."""
        for one in self._paths():
            self.listed += one.sha256 is not None
            self.lists_differ |= not self.no_sizes and (one.sha256 is None) != (one.size is None)
            if fault := self._fault(one):
                self.faults.add(one.path, fault)
            elif one.found and one.sha256:
                self.files, self.bytes = self.files + 1, self.bytes + one.found.size
                if one.found.mode & 0o222:
                    self.writable.add(one.path)
                yield one.path, one.sha256

    def _paths(self) -> Iterator[_Path]:
        sizes = () if self.no_sizes else read_sizes(self.day.sizes)
        walked = ((found.path, found) for found in self.walk)
        sources = map(_tagged, count(), (read_sums(self.day.sums), sizes, walked))
        merged = merge(*sources, key=lambda found: path_order(found[0]))
        for path, group in groupby(merged, key=itemgetter(0)):
            found = {source: value for _, source, value in group}
            yield _Path(path, found.get(0), found.get(1), found.get(2))

    def _fault(self, one: _Path) -> Fault | None:
        if not one.found:
            replaced = os.path.lexists(self.day.folder / one.path)
            return Fault.REPLACED if replaced else Fault.MISSING
        if one.sha256 is None and one.size is None:
            return None if one.found.kind == "link" else Fault.UNEXPECTED  # links are in the structure
        if one.found.kind != "file":
            return Fault.REPLACED
        return None if one.size is None else size_fault(one.found.size, one.size)

    def result(self, pace: Pace | None) -> ReadBackup:
        """Return what was found."""
        day, structure = self.day, self._structure()
        files = counted(self.listed, "file")
        if pace:
            how = f"SHA-256 of {files} read back from the disk equal to {day.sums.name}"
        else:
            how = f"Names, kinds and sizes of {files} equal to {day.sizes.name}"
        sidecars = FirstPaths()
        for name in writable(day.year_folder, self._sidecars):
            sidecars.add(name)
        return ReadBackup(
            verification=f"{how}, folders and links to the record",
            damage=(*self._misfits(), *self.faults.sentences, *structure),
            warnings=(*writable_warnings(sidecars), *writable_warnings(self.writable), *self._no_sizes),
            files=self.files,
            bytes=self.bytes if pace else 0,
            unknown=self.no_sizes,
        )

    @property
    def _no_sizes(self) -> list[str]:
        advice = "So each scrub reads all of this day."
        return [f"{self.no_sizes} {advice}"] if self.no_sizes else []

    @property
    def _sidecars(self) -> list[str]:
        lists = [self.day.sums.name, *([] if self.no_sizes else [self.day.sizes.name])]
        return [*lists, self.day.record_file.name, self.day.name]

    def _structure(self) -> list[str]:
        """Compare folders and links with the record."""
        found = self.walk.structure
        if self.record.structure == structure_of(found):
            return []
        links = [path for path, kind, _ in found if kind == "link"]
        folders = [path for path, kind, _ in found if kind == "folder"]
        counts = f"{counted(len(folders), 'folder')} and {counted(len(links), 'link')}"
        by_name = f": {named([*links, *folders])}" if found else ""
        return [f"Its folders and links aren't as published. It has {counts}{by_name}."]

    def _misfits(self) -> Iterable[str]:
        """Yield the contradictions between the day, its record and its lists, as sentences."""
        day, record = self.day, self.record
        if (record.day, record.revision) != (day.day, day.revision):
            yield f"Its record belongs to revision {record.revision} of {record.day}."
        if record.files != self.listed:
            listed = counted(self.listed, "file")
            yield f"{day.sums.name} lists {listed}, but its record says {record.files:,}."
        if self.lists_differ:
            yield f"{day.sums.name} and {day.sizes.name} list different files."
        if not self.no_sizes and record.bytes != self.published_bytes:
            listed = f"{self.published_bytes:,} bytes"
            yield f"{day.sizes.name} lists {listed}, but its record says {record.bytes:,}."


def _published_bytes(day: PublishedDay) -> tuple[int, str]:
    """Return the sum of the published sizes, and why there is none, as a sentence."""
    try:
        return sum(size for _, size in read_sizes(day.sizes)), ""
    except VaultError as error:
        return 0, f"{error}."


def _tagged(source: int, pairs: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, int, Any]]:
    return ((path, source, value) for path, value in pairs)
