"""Reading a published day: each file is there with its SHA-256, and nothing else is."""

import errno
import os
from collections.abc import Mapping

from include import source_agent
from include.audit.finding import Seen, damaged, oddities_of
from include.audit.hashing import Fault, Pace, compare, missing_and_strange, told, writable
from include.errors import BackupError
from include.listing import Listing, sha256_of
from include.names import shown
from include.record import Record
from include.vault import PublishedDay
from include.wording import counted


def read(day: PublishedDay, pace: Pace) -> Seen:
    """Read all of a day. Links hold no data and are in no list of sums; they aren't looked at.

    Args:
        day: which.
        pace: asked before more is read.

    Raises:
        PermissionError: this user may not read it.
    """
    if not day.folder.is_dir():
        return damaged(f"The folder {day.folder} is missing.")
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


def _compared(
    day: PublishedDay, record: Record, sums: Mapping[str, str], listing: Listing, pace: Pace
) -> Seen:
    faults = dict(missing_and_strange(sums, [entry.path for entry in listing.files]))
    faults |= {entry.path: Fault.STRANGE for entry in listing.entries if entry.kind == "special"}
    faults |= {path: Fault.UNREADABLE for path, _ in listing.unreadable}
    whole = {path: sha256 for path, sha256 in sums.items() if path not in faults}
    faults |= compare(day.folder, whole, pace)
    sidecars = (day.sums.name, day.record_file.name, day.name)
    return Seen(
        proof=f"SHA-256 of {counted(len(sums), 'file')} read back from the disk equal to {day.sums.name}",
        wrong=(*_misfits(day, record, sums), *told(faults)),
        oddities=oddities_of([*writable(day.year_folder, sidecars), *writable(day.folder, whole)]),
        files=len(whole),
        bytes=sum(entry.size for entry in listing.files if entry.path in whole),
    )


def _misfits(day: PublishedDay, record: Record, sums: Mapping[str, str]) -> list[str]:
    """Say where the day, its record and its list of sums tell of different things."""
    misfits = []
    if (record.day, record.revision) != (day.day, day.revision):
        misfits.append(f"Its record is that of revision {record.revision} of {record.day}.")
    if record.files != len(sums):
        named = counted(len(sums), "file")
        misfits.append(f"{day.sums.name} names {named}, and its record says {record.files:,}.")
    return misfits
