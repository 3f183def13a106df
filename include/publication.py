"""Publishing: the last step, by which a proven copy in staging becomes a day of the vault."""

import os
import subprocess
from filecmp import cmp
from pathlib import Path

from include.errors import VaultError
from include.listing import Listing, sha256_lines
from include.record import Record
from include.vault import PublishedDay, StagedDay, Vault

FILE_MODE, FOLDER_MODE = 0o444, 0o555


def publish(vault: Vault, staged: StagedDay, draft: Record, proven: Listing) -> PublishedDay:
    """Publish a proven copy as the day's next revision: linked, synced, made read-only, renamed.

    Args:
        vault: where.
        staged: the proven copy; the caller holds its day.
        draft: what the record will say.
        proven: the copy's listing, with the hashes that were proven.

    Raises:
        VaultError: the disk can't be synced.
    """
    before = vault.revisions(staged.day)
    target = vault.next_revision(staged.day)
    staged.publishing.touch()
    sums, record = staged.folder / "sums", staged.folder / "record"
    for sidecar in (sums, record):
        sidecar.unlink(missing_ok=True)  # a try before may have left it read-only
    sums.write_bytes(sha256_lines(proven))
    if before and not before[-1].damage:  # where bytes have decayed, what is whole still may be next
        _link_unchanged(before[-1].folder.resolve(), staged.data, proven)
    _make_read_only(staged.data, proven)
    record.write_text(draft.model_copy(update={"revision": target.revision}).model_dump_json(indent=1) + "\n")
    for sidecar in (sums, record):
        sidecar.chmod(FILE_MODE)
    target.year_folder.mkdir(parents=True, exist_ok=True)
    sync(staged.folder)
    sums.replace(target.sums)
    record.replace(target.record_file)
    staged.data.rename(target.folder)
    sync(target.year_folder)
    return target


def seal(published: PublishedDay) -> None:
    """Make the day's own folder read-only; only after the move, which needs it writable."""
    published.folder.chmod(FOLDER_MODE)


def _link_unchanged(before: Path, data: Path, proven: Listing) -> None:
    for entry in proven.files:
        old, new = before / entry.path, data / entry.path
        # Byte by byte, not by name and hash: the older copy may have decayed since it was proven.
        inside = old.is_file() and old.resolve() == old  # not what a link of the older copy leads to
        if inside and _same_time(old, new) and _same_bytes(old, new):
            spare = data.parent / "link"
            spare.unlink(missing_ok=True)
            os.link(old, spare)
            spare.replace(new)


def _same_bytes(old: Path, new: Path) -> bool:
    try:
        return cmp(old, new, shallow=False)
    except OSError:  # the older copy has decayed since it was proven
        return False


def _same_time(one: Path, other: Path) -> bool:
    return one.stat().st_mtime_ns == other.stat().st_mtime_ns


def _make_read_only(data: Path, proven: Listing) -> None:
    for entry in proven.files:
        (data / entry.path).chmod(FILE_MODE)
    for entry in proven.entries:
        if entry.kind == "folder":
            (data / entry.path).chmod(FOLDER_MODE)


def sync(folder: Path) -> None:
    """Flush the whole file system (syncfs(2)): one call, where fsync would take one for each file.

    Raises:
        VaultError: the disk says no.
    """
    done = subprocess.run(["sync", "--file-system", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise VaultError(f"The vault can't be written to its disk: {done.stderr.strip()}")
