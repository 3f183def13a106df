"""Read a published day, and check that it has exactly the published files, folders and links.

Files are compared with the list of SHA-256 sums. Folders and links aren't in that list; the record has a
SHA-256 over them (``structure``).
"""

import errno
import os
from collections.abc import Mapping

from include.days import folder_scan
from include.days.manifest import Manifest
from include.days.manifest_builder import manifest_of
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.errors import BackupError
from include.names import named, shown
from include.scrub.finding import ReadBackup, damaged, missing, writable_warnings
from include.scrub.hashing import Fault, Pace, compare, describe, missing_and_unexpected, writable
from include.text import counted
from include.vault.sha256sums import parse_sums


def read(day: PublishedDay, pace: Pace) -> ReadBackup:
    """Read all of a day, and return what was found.

    Args:
        day: the day.
        pace: called with the length of each block that is read.

    Raises:
        PermissionError: this user may not read all of it.
    """
    if not day.folder.is_dir():
        return damaged(missing(day.folder))
    try:
        record = DayRecord.model_validate_json(day.record_file.read_bytes())
        sums = parse_sums(day.sums.read_bytes())
    except PermissionError:
        raise
    except (BackupError, OSError, ValueError) as error:
        return damaged(f"{shown(day.record_file.name)} or {shown(day.sums.name)} can't be read: {error}")
    scan = list(folder_scan.walk(os.fsencode(day.folder)))
    denied = os.strerror(errno.EACCES)
    if any(kind == "unreadable" and reason == denied for _, kind, _, _, reason, *_ in scan):
        raise PermissionError(errno.EACCES, denied, str(day.folder))
    return _compared(day, record, sums, scan, pace)


def _compared(
    day: PublishedDay,
    record: DayRecord,
    sums: Mapping[str, str],
    scan: list[folder_scan.Entry],
    pace: Pace,
) -> ReadBackup:
    manifest = manifest_of(scan)
    faults = dict(missing_and_unexpected(sums, {entry.path for entry in manifest.files}))
    faults |= {entry.path: Fault.UNEXPECTED for entry in manifest if entry.kind == "special"}
    faults |= {path: Fault.UNREADABLE for path, kind, *_ in scan if kind == "unreadable"}
    intact = {path: sha256 for path, sha256 in sums.items() if path not in faults}
    faults |= compare(day.folder, intact, pace)
    sidecars = (day.sums.name, day.record_file.name, day.name)
    structure = _structure(record, manifest)
    sha256 = f"SHA-256 of {counted(len(sums), 'file')}"
    return ReadBackup(
        verification=f"{sha256} read back from the disk equal to {day.sums.name}, {structure.verification}",
        damage=(*_misfits(day, record, sums), *describe(faults), *structure.damage),
        warnings=(
            *writable_warnings([*writable(day.year_folder, sidecars), *writable(day.folder, intact)]),
            *structure.warnings,
        ),
        files=len(intact),
        bytes=sum(entry.size for entry in manifest.files if entry.path in intact),
    )


def _structure(record: DayRecord, manifest: Manifest) -> ReadBackup:
    """Compare folders and links with the record."""
    if record.structure == manifest.totals.structure:
        return ReadBackup(verification="folders and links to the record")
    links = [entry.path for entry in manifest if entry.kind == "link"]
    folders = [entry.path for entry in manifest if entry.kind == "folder"]
    found = f"{counted(len(folders), 'folder')} and {counted(len(links), 'link')}"
    by_name = f": {named([*links, *folders])}" if folders or links else ""
    return damaged(f"Its folders and links aren't as published. It has {found}{by_name}.")


def _misfits(day: PublishedDay, record: DayRecord, sums: Mapping[str, str]) -> list[str]:
    """Return the contradictions between the day, its record and its list of sums, as sentences."""
    misfits = []
    if (record.day, record.revision) != (day.day, day.revision):
        misfits.append(f"Its record belongs to revision {record.revision} of {record.day}.")
    if record.files != len(sums):
        listed = counted(len(sums), "file")
        misfits.append(f"{day.sums.name} lists {listed}, but its record says {record.files:,}.")
    return misfits
