"""Publication: makes a verified copy in staging a day of the vault."""

import errno
import os
from collections.abc import Sequence
from dataclasses import replace
from filecmp import cmp
from itertools import zip_longest
from pathlib import Path

from include.agent.durable_files import fsync
from include.days.archive import DayArchive
from include.days.manifest import Manifest
from include.days.published import PublishedDay
from include.days.record import DayRecord, RevisionCause
from include.days.staged import StagedDay
from include.errors import BackupError
from include.vault.files import FILE_MODE, FOLDER_MODE, sync
from include.vault.sha256sums import format_sizes, format_sums, read_sums
from include.vault.vault import Vault

NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""A file system without them (exFAT, some CIFS), or a file that has all it may have: the copy stays."""


_MODES = {"file": FILE_MODE, "folder": FOLDER_MODE}


def publish(vault: Vault, staged: StagedDay, draft: DayRecord, verified: Manifest) -> PublishedDay:
    """Publish a verified copy as the day's next revision.

    Link files that the revision before has too, if the file system can; make everything read-only, write the
    lists of checksums and sizes and the record, flush to disk, and rename the folder last.

    Args:
        vault: the vault.
        staged: the verified copy; the caller has locked its day.
        draft: the record; its revision and the cause of it are found here.
        verified: the copy's manifest, with the verified hashes.

    Raises:
        VaultError: the disk can't be flushed.
    """
    before = DayArchive(vault).revisions(staged.day)
    target = DayArchive(vault).next_revision(staged.day)
    staged.publishing.touch()
    fsync(staged.folder)  # before anything is shared with a published day
    sums, sizes, record = (staged.folder / name for name in ("sums", "sizes", "record"))
    for sidecar in (sums, sizes, record):
        sidecar.unlink(missing_ok=True)  # an earlier try may have left it read-only
    with sums.open("wb") as file:
        file.writelines(format_sums((entry.path, str(entry.sha256)) for entry in verified.files))
    with sizes.open("wb") as file:
        file.writelines(format_sizes((entry.path, entry.size) for entry in verified.files))
    if before and not before[-1].damage:  # the intact files of a damaged revision may decay next
        _link_unchanged(before[-1].folder.resolve(), staged.data, verified)
    _make_read_only(staged.data, verified)
    made = {"revision": target.revision, "cause": _cause(before, target, draft, verified)}
    record.write_text(draft.model_copy(update=made).model_dump_json(indent=1) + "\n")
    for sidecar in (sums, sizes, record):
        sidecar.chmod(FILE_MODE)
    target.year_folder.mkdir(parents=True, exist_ok=True)
    sync(staged.folder)
    sums.replace(target.sums)
    sizes.replace(target.sizes)
    record.replace(target.record_file)
    fsync(target.year_folder)
    staged.data.rename(target.folder)
    sync(target.year_folder)
    return target


def seal(published: PublishedDay) -> None:
    """Make the day's own folder read-only, after the rename, which needs it writable."""
    published.folder.chmod(FOLDER_MODE)


def _cause(
    before: Sequence[PublishedDay], target: PublishedDay, draft: DayRecord, verified: Manifest
) -> RevisionCause:
    """Return why a revision is made: what became of the one before it."""
    if _is_of_another_copy(target.readable_record, draft):
        return RevisionCause.LOST  # all but its record
    if target.revision == 1:
        return RevisionCause.FIRST
    last = before[-1] if before and before[-1].revision == target.revision - 1 else None
    if last and not last.damage:
        return RevisionCause.CHANGED
    if not last:
        folder = replace(target, revision=target.revision - 1).folder
        return RevisionCause.DAMAGED if os.path.lexists(folder) else RevisionCause.LOST
    return RevisionCause.DAMAGED_AND_CHANGED if _differ(last, verified) else RevisionCause.DAMAGED


def _is_of_another_copy(left: DayRecord | None, draft: DayRecord) -> bool:
    """Return whether a record that has no folder isn't the one that an interrupted publication left."""
    return left is not None and left.copied != draft.copied


def _differ(damaged: PublishedDay, verified: Manifest) -> bool:
    """Return whether the source is known to have other data than a damaged revision was published with."""
    now = ((entry.path, entry.sha256) for entry in verified.files)
    try:
        return any(one != other for one, other in zip_longest(read_sums(damaged.sums), now))
    except (BackupError, OSError, ValueError):
        return False


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
