"""Publication: makes a verified copy in staging a day of the vault."""

import errno
import os
from filecmp import cmp
from pathlib import Path

from include.agent.durable_files import fsync
from include.days.archive import DayArchive
from include.days.manifest import Manifest
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.days.staged import StagedDay
from include.vault.files import FILE_MODE, FOLDER_MODE, sync
from include.vault.sha256sums import format_sums
from include.vault.vault import Vault

NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""A file system without them (exFAT, some CIFS), or a file that has all it may have: the copy stays."""


_MODES = {"file": FILE_MODE, "folder": FOLDER_MODE}


def publish(vault: Vault, staged: StagedDay, draft: DayRecord, verified: Manifest) -> PublishedDay:
    """Publish a verified copy as the day's next revision.

    Link files that the revision before has too, if the file system can; make everything read-only, write the
    checksum list and the record, flush to disk, and rename the folder last.

    Args:
        vault: the vault.
        staged: the verified copy; the caller has locked its day.
        draft: the record, without its revision.
        verified: the copy's manifest, with the verified hashes.

    Raises:
        VaultError: the disk can't be flushed.
    """
    before = DayArchive(vault).revisions(staged.day)
    target = DayArchive(vault).next_revision(staged.day)
    staged.publishing.touch()
    fsync(staged.folder)  # before anything is shared with a published day
    sums, record = staged.folder / "sums", staged.folder / "record"
    for sidecar in (sums, record):
        sidecar.unlink(missing_ok=True)  # an earlier try may have left it read-only
    with sums.open("wb") as file:
        file.writelines(format_sums((entry.path, str(entry.sha256)) for entry in verified.files))
    if before and not before[-1].damage:  # the intact files of a damaged revision may decay next
        _link_unchanged(before[-1].folder.resolve(), staged.data, verified)
    _make_read_only(staged.data, verified)
    record.write_text(draft.model_copy(update={"revision": target.revision}).model_dump_json(indent=1) + "\n")
    for sidecar in (sums, record):
        sidecar.chmod(FILE_MODE)
    target.year_folder.mkdir(parents=True, exist_ok=True)
    sync(staged.folder)
    sums.replace(target.sums)
    record.replace(target.record_file)
    fsync(target.year_folder)
    staged.data.rename(target.folder)
    sync(target.year_folder)
    return target


def seal(published: PublishedDay) -> None:
    """Make the day's own folder read-only, after the rename, which needs it writable."""
    published.folder.chmod(FOLDER_MODE)


def _link_unchanged(before: Path, data: Path, verified: Manifest) -> None:
    for entry in verified.files:
        old, new = before / entry.path, data / entry.path
        # Byte by byte, not by name and hash: the older copy may have decayed since it was verified.
        is_own_file = old.is_file() and old.resolve() == old  # not the target of a link in the older copy
        if is_own_file and _same_time(old, new) and _same_bytes(old, new):
            link = data.parent / "link"
            link.unlink(missing_ok=True)
            try:
                os.link(old, link)
            except OSError as error:
                if error.errno not in NO_HARD_LINKS:
                    raise
            else:
                link.replace(new)


def _same_bytes(old: Path, new: Path) -> bool:
    try:
        return cmp(old, new, shallow=False)
    except OSError:  # the older copy can't be read
        return False


def _same_time(one: Path, other: Path) -> bool:
    return one.stat().st_mtime_ns == other.stat().st_mtime_ns


def _make_read_only(data: Path, verified: Manifest) -> None:
    for entry in verified:
        if entry.kind in _MODES:
            (data / entry.path).chmod(_MODES[entry.kind])
