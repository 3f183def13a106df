"""What is to be brought back: which revision of a day, which of its files; and the proof that it's whole."""

import os
import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase

from include import source_agent
from include.errors import BackupError, DayNotProvenError, NotInVaultError, VaultError
from include.listing import Entry, Listing, named, sha256_of
from include.names import shown
from include.ordinal_day import OrdinalDay
from include.vault import PublishedDay

EVERYTHING = "*"


@dataclass(frozen=True)
class Chosen:
    """One revision of a day, and why this one.

    Args:
        published: the revision.
        warnings: newer ones that are known to be damaged, as sentences.
    """

    published: PublishedDay
    warnings: tuple[str, ...] = ()


def choose(day: OrdinalDay, revisions: Sequence[PublishedDay], number: int | None) -> Chosen:
    """Choose the revision of that number; without one, the newest that no audit found damaged.

    Where all are known to be damaged it's the newest: what is wanted of it may be whole.

    Args:
        day: the day.
        revisions: all that the vault has, oldest first.
        number: 1 or more, or None.

    Raises:
        NotInVaultError: there is none, or none of that number; says which there are.
    """
    if not revisions:
        raise NotInVaultError(f"The vault doesn't hold {day}: there is nothing to bring back.")
    if number is not None:
        return Chosen(_of_number(day, revisions, number))
    sound = [one for one in revisions if not one.proofs.damaged]
    best = (sound or revisions)[-1]
    return Chosen(best, tuple(_passed_over(one, best) for one in revisions if one.revision > best.revision))


def prove(published: PublishedDay, pattern: str, others: Sequence[PublishedDay] = ()) -> Listing:
    """Give what is wanted of a revision, once each file of it is read from the disk and is as published.

    Args:
        published: the revision.
        pattern: of paths, or of bare names, as a shell knows it; ``*`` matches ``/`` too.
        others: revisions of the same day, for the message.

    Raises:
        NotInVaultError: no file of it matches.
        DayNotProvenError: says what is wrong, and which other revision is proven whole.
        VaultError: this user may not read it.
    """
    try:
        wrong, wanted = _held_against_sums(published, pattern)
    except PermissionError as refused:
        raise VaultError(f"The vault's copy {published.folder} can't be read: {refused}.") from refused
    if not wanted.entries and not wrong:
        raise NotInVaultError(f"No file of {published.day} in {published.folder} matches {shown(pattern)}.")
    if wrong:
        raise DayNotProvenError(
            f"The vault's copy {published.folder} is damaged: {wrong}. Nothing was sent. "
            f"{_advice(published, pattern, others)}",
            found=f"A restore found it: {wrong}.",
        )
    return wanted


def picked(listing: Listing, pattern: str) -> Listing:
    """Give the files and links that match, with the folders above them; empty folders with ``*`` only."""
    if pattern == EVERYTHING:
        return Listing(tuple(entry for entry in listing.entries if entry.kind != "special"))
    data = (entry for entry in listing.entries if entry.kind in ("file", "link"))
    hit = {entry.path for entry in data if _matches(entry, pattern)}
    with_folders = hit | {folder for path in hit for folder in _above(path)}
    return Listing(tuple(entry for entry in listing.entries if entry.path in with_folders))


def _of_number(day: OrdinalDay, revisions: Sequence[PublishedDay], number: int) -> PublishedDay:
    for one in revisions:
        if one.revision == number:
            return one
    there = ", ".join(str(one.revision) for one in revisions)
    raise NotInVaultError(f"The vault holds no revision {number} of {day}; it holds {there}.")


def _passed_over(damaged: PublishedDay, best: PublishedDay) -> str:
    return (
        f"Revision {damaged.revision} is newer and known to be damaged: revision {best.revision} was taken. "
        "Name a revision to have another."
    )


def _held_against_sums(published: PublishedDay, pattern: str) -> tuple[str, Listing]:
    """Give what is wrong, as the rest of a sentence, and what is wanted, with the hashes as published."""
    try:
        sums = sha256_of(published.sums.read_bytes())
    except PermissionError:
        raise
    except (OSError, ValueError, BackupError) as unread:
        return f"its list {published.sums.name} can't be read ({unread})", Listing(())
    entries, unreadable = source_agent.listed(os.fsencode(published.folder))
    there = Listing.read({"entries": entries, "unreadable": unreadable})
    if there.unreadable:
        return f"{named(path for path, _ in there.unreadable)} can't be read", Listing(())
    wanted = picked(there, pattern)
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        hashes = dict(threads.map(lambda entry: (entry.path, _sha256(published, entry)), wanted.files))
    lost = {entry.path for entry in picked(_files(sums), pattern).files} - hashes.keys()
    wrong = sorted(lost | {path for path, sha256 in hashes.items() if sums.get(path) != sha256})
    proven = tuple(entry._replace(sha256=hashes.get(entry.path)) for entry in wanted.entries)
    return f"{named(wrong)} isn't as published" if wrong else "", Listing(proven)


def _files(sums: dict[str, str]) -> Listing:
    return Listing(tuple(Entry(path, "file", 0, 0, None, sha256) for path, sha256 in sums.items()))


def _sha256(published: PublishedDay, entry: Entry) -> str:
    path = os.path.join(  # noqa: PTH118 - bytes, which pathlib can't hold
        os.fsencode(published.folder), entry.path.encode("utf-8", "surrogateescape")
    )
    try:
        _forget(path)
        return source_agent.sha256(path)
    except PermissionError:
        raise
    except OSError:
        return ""  # the disk can't read it: no hash is like it


def _forget(path: bytes) -> None:
    """Have the disk asked, and not what memory has of it."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def _advice(damaged: PublishedDay, pattern: str, others: Sequence[PublishedDay]) -> str:
    good = [one.revision for one in others if one != damaged and _is_whole(one, pattern)]
    if not good:
        return "The vault holds no other revision of the day that is whole."
    told = ", ".join(map(str, good))
    return f"Proven whole just now: revision {told} of the day. Name it to have it."


def _is_whole(published: PublishedDay, pattern: str) -> bool:
    wrong, wanted = _held_against_sums(published, pattern)
    return not wrong and bool(wanted.entries)


def _matches(entry: Entry, pattern: str) -> bool:
    return fnmatchcase(entry.path, pattern) or fnmatchcase(posixpath.basename(entry.path), pattern)


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]
