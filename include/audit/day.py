"""Reading a published day: each file is there with its SHA-256, each folder and link, and nothing else is.

Folders and links are in no list of sums. The record has a SHA-256 over them; an older record has one only
over them and all files' times together, by which they are proven as long as no time has changed.
"""

import errno
import os
from collections.abc import Mapping

from include import source_agent
from include.audit.finding import Seen, damaged, missing, oddities_of
from include.audit.hashing import Fault, Pace, compare, missing_and_strange, told, writable
from include.errors import BackupError
from include.listing import Listing, named, sha256_of
from include.names import shown
from include.record import Record
from include.vault import PublishedDay
from include.wording import counted


def read(day: PublishedDay, pace: Pace) -> Seen:
    """Read all of a day.

    Args:
        day: which.
        pace: asked before more is read.

    Raises:
        PermissionError: this user may not read it.
    """
    if not day.folder.is_dir():
        return damaged(missing(day.folder))
    try:
        record = Record.model_validate_json(day.record_file.read_bytes())
        sums = sha256_of(day.sums.read_bytes())
    except PermissionError:
        raise
    except (BackupError, OSError, ValueError) as wrong:
        return damaged(f"{shown(day.record_file.name)} or {shown(day.sums.name)} can't be read: {wrong}")
    entries, unreadable = source_agent.listed(os.fsencode(day.folder))
    if any(reason == os.strerror(errno.EACCES) for _, reason in unreadable):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(day.folder))
    return _compared(day, record, sums, Listing.read({"entries": entries, "unreadable": unreadable}), pace)


_UNPROVEN = (
    "A link or an empty folder that is gone can't be noticed: the record is older than the fact that proves "
    "them, and the time of a file has changed."
)


def _compared(
    day: PublishedDay, record: Record, sums: Mapping[str, str], listing: Listing, pace: Pace
) -> Seen:
    faults = dict(missing_and_strange(sums, [entry.path for entry in listing.files]))
    faults |= {entry.path: Fault.STRANGE for entry in listing.entries if entry.kind == "special"}
    faults |= {path: Fault.UNREADABLE for path, _ in listing.unreadable}
    whole = {path: sha256 for path, sha256 in sums.items() if path not in faults}
    faults |= compare(day.folder, whole, pace)
    sidecars = (day.sums.name, day.record_file.name, day.name)
    structure = _structure(record, listing)
    sha256 = f"SHA-256 of {counted(len(sums), 'file')}"
    return Seen(
        proof=f"{sha256} read back from the disk equal to {day.sums.name}, {structure.proof}",
        wrong=(*_misfits(day, record, sums), *told(faults), *structure.wrong),
        oddities=(
            *oddities_of([*writable(day.year_folder, sidecars), *writable(day.folder, whole)]),
            *structure.oddities,
        ),
        files=len(whole),
        bytes=sum(entry.size for entry in listing.files if entry.path in whole),
    )


def _structure(record: Record, listing: Listing) -> Seen:
    """Hold folders and links against the record."""
    if record.fingerprint == listing.fingerprint or record.structure == listing.structure:
        return Seen(proof="folders and links to its record")
    links = [entry.path for entry in listing.entries if entry.kind == "link"]
    folders = [entry.path for entry in listing.entries if entry.kind == "folder"]
    if record.structure:
        there = f"{counted(len(folders), 'folder')} and {counted(len(links), 'link')}"
        by_name = f": {named([*links, *folders])}" if folders or links else ""
        return damaged(f"Its folders and links aren't those of its record; there are {there}{by_name}.")
    return Seen(proof="folders and links to nothing", oddities=(_UNPROVEN,))


def _misfits(day: PublishedDay, record: Record, sums: Mapping[str, str]) -> list[str]:
    """Say where the day, its record and its list of sums tell of different things."""
    misfits = []
    if (record.day, record.revision) != (day.day, day.revision):
        misfits.append(f"Its record is that of revision {record.revision} of {record.day}.")
    if record.files != len(sums):
        named = counted(len(sums), "file")
        misfits.append(f"{day.sums.name} names {named}, and its record says {record.files:,}.")
    return misfits
