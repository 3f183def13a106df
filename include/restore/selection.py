"""Select the revision of a day and the files to restore, and verify them in the vault."""

import os
import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from include.days import folder_scan
from include.days.manifest import Manifest
from include.days.manifest_builder import manifest_of, manifest_with
from include.days.manifest_entry import ManifestEntry
from include.days.published import PublishedDay
from include.errors import BackupError, DayNotVerifiedError, NotInVaultError, VaultError
from include.names import matches, named, shown
from include.ordinal_day import OrdinalDay
from include.text import counted
from include.vault.files import read_whole
from include.vault.sha256sums import parse_sums

EVERYTHING = "*"
NOTHING = manifest_with(())


@dataclass(frozen=True)
class ChosenRevision:
    """The revision of a day to restore.

    Args:
        published: the revision.
        warnings: a sentence for each newer revision that is known to be damaged.
    """

    published: PublishedDay
    warnings: tuple[str, ...] = ()


def choose(day: OrdinalDay, revisions: Sequence[PublishedDay], number: int | None) -> ChosenRevision:
    """Choose the revision with a number; without one, the newest that isn't known to be damaged.

    If all are known to be damaged, choose the newest: the selected files of it may be intact.

    Args:
        day: the day.
        revisions: all revisions in the vault, oldest first.
        number: a revision's number, 1 or more; or None.

    Raises:
        NotInVaultError: there is no revision, or none with that number.
    """
    if not revisions:
        raise NotInVaultError(f"The vault doesn't hold {day}. Nothing was restored.", about=str(day))
    if number is not None:
        return ChosenRevision(_of_number(day, revisions, number))
    undamaged = [revision for revision in revisions if not revision.verification_log.damaged]
    best = (undamaged or revisions)[-1]
    newer = [revision for revision in revisions if revision.revision > best.revision]
    return ChosenRevision(best, tuple(_skipped(revision, best) for revision in newer))


def verify(published: PublishedDay, pattern: str, others: Sequence[PublishedDay] = ()) -> Manifest:
    """Read the selected files of a revision from the disk, compare them with its sums, and return them.

    Args:
        published: the revision.
        pattern: a shell pattern for paths or file names; ``*`` also matches ``/``.
        others: other revisions of the day, for the message.

    Raises:
        NotInVaultError: no file matches.
        DayNotVerifiedError: a file is damaged; the message names an intact revision, if there is one.
        VaultError: this user may not read it.
    """
    try:
        wrong, selected = _compare_with_sums(published, pattern)
    except PermissionError as refused:
        raise VaultError(f"The vault's copy {published.folder} can't be read: {refused}.") from refused
    if not selected.totals.entries and not wrong:
        raise NotInVaultError(
            f"No file in {published.folder} matches {shown(pattern)}. Nothing was restored."
        )
    if wrong:
        raise DayNotVerifiedError(
            f"The vault's copy {published.folder} is damaged: {wrong}. Nothing was sent. "
            f"{_advice(published, pattern, others)}",
            found=f"{wrong}.",
        )
    return selected


def matching(manifest: Manifest, pattern: str) -> Manifest:
    """Return the files and links that match, with the folders above them; empty folders only for ``*``."""
    if pattern == EVERYTHING:
        return manifest_with(manifest.compared)
    data = (entry for entry in manifest if entry.kind in ("file", "link"))
    hits = {entry.path for entry in data if _matches(entry, pattern)}
    with_folders = hits | {folder for path in hits for folder in _above(path)}
    return manifest_with(entry for entry in manifest if entry.path in with_folders)


def _of_number(day: OrdinalDay, revisions: Sequence[PublishedDay], number: int) -> PublishedDay:
    for revision in revisions:
        if revision.revision == number:
            return revision
    existing = ", ".join(str(revision.revision) for revision in revisions)
    raise NotInVaultError(f"The vault holds no revision {number} of {day}, only {existing}.")


def _skipped(damaged: PublishedDay, best: PublishedDay) -> str:
    return (
        f"Revision {damaged.revision} is newer, but damaged. Revision {best.revision} was used instead. "
        "To restore another, name its number."
    )


def _compare_with_sums(published: PublishedDay, pattern: str) -> tuple[str, Manifest]:
    """Return the damage, as the rest of a sentence, and the selected entries with their published hashes."""
    try:
        sums = parse_sums(read_whole(published.sums))
    except PermissionError:
        raise
    except (OSError, ValueError, BackupError) as error:
        return f"its list {published.sums.name} can't be read ({error})", NOTHING
    found = manifest_of(folder_scan.walk(os.fsencode(published.folder)))
    if found.unreadable:
        return f"{found.unreadable} can't be read", NOTHING
    selected = matching(found, pattern)
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        hashes = dict(threads.map(lambda entry: (entry.path, _sha256(published, entry)), selected.files))
    lost = {entry.path for entry in matching(_files(sums), pattern).files} - hashes.keys()
    wrong = sorted(lost | {path for path, sha256 in hashes.items() if sums.get(path) != sha256})
    verified = manifest_with(entry._replace(sha256=hashes.get(entry.path)) for entry in selected)
    if wrong:
        return f"{named(wrong)} isn't as published", verified
    return _wrong_names(published, found) if pattern == EVERYTHING else "", verified


def _wrong_names(published: PublishedDay, found: Manifest) -> str:
    """Return what is wrong with the folders and links, which the list lacks, or with the number of files."""
    record, totals = published.readable_record, found.totals
    if not record or (record.files, record.structure) == (totals.files, totals.structure):
        return ""
    what = "its folders and links aren't as published"
    if record.files != totals.files:
        what = f"it has {counted(totals.files, 'file')}, but its record says {record.files:,}"
    return f"{what} (the pattern ?* restores what is left)"


def _files(sums: dict[str, str]) -> Manifest:
    return manifest_with(ManifestEntry(path, "file", 0, 0, None, sha256) for path, sha256 in sums.items())


def _sha256(published: PublishedDay, entry: ManifestEntry) -> str:
    path = os.path.join(  # noqa: PTH118 - pathlib has no bytes
        os.fsencode(published.folder), entry.path.encode("utf-8", "surrogateescape")
    )
    try:
        _drop_from_page_cache(path)
        return folder_scan.sha256(path)
    except PermissionError:
        raise
    except OSError:
        return ""  # a disk error; an empty hash equals none


def _drop_from_page_cache(path: bytes) -> None:
    """Make the next read come from the disk."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def _advice(damaged: PublishedDay, pattern: str, others: Sequence[PublishedDay]) -> str:
    intact = [one.revision for one in others if one != damaged and _is_intact(one, pattern)]
    if not intact:
        return "The vault holds no other intact revision of the day."
    numbers = ", ".join(map(str, intact))
    return f"Revision {numbers} of the day was verified and is intact. Name it to restore it."


def _is_intact(published: PublishedDay, pattern: str) -> bool:
    wrong, selected = _compare_with_sums(published, pattern)
    return not wrong and selected.totals.entries > 0


def _matches(entry: ManifestEntry, pattern: str) -> bool:
    return matches(entry.path, pattern) or matches(posixpath.basename(entry.path), pattern)


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
