"""The days of a vault as facts: of each its newest revision, and of what lost its record or folder, too."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from include.errors import VaultError
from include.ordinal_day import OrdinalDay
from include.standing.facts import DayFacts, DaysPart
from include.vault import PublishedDay

_NEVER = datetime.fromtimestamp(0, UTC)


def newest(published: Iterable[PublishedDay], lost: Iterable[PublishedDay]) -> dict[OrdinalDay, PublishedDay]:
    """Give what stands for each day, oldest first: what is published, else what is left of it."""
    # Both are sorted: of each day the last revision wins.
    found = {one.day: one for one in lost} | {one.day: one for one in published}
    return dict(sorted(found.items()))


def of_year(year: int, found: Iterable[PublishedDay]) -> DaysPart:
    """Give one year's part of the days of a vault."""
    return DaysPart(year=year, days=tuple(day_facts(one) for one in found if one.day.year == year))


def day_facts(found: PublishedDay) -> DayFacts:
    """Say how it stands with a day; what can't be read of it is told as its damage."""
    try:
        return _whole(found)
    except (VaultError, OSError, ValueError) as unreadable:
        return _unreadable(found, unreadable)


def _whole(found: PublishedDay) -> DayFacts:
    record, audit = found.record, found.proofs.passed("audit")
    return DayFacts(
        day=found.day,
        revision=found.revision,
        files=record.files,
        bytes=record.bytes,
        copied=record.copied,
        proven=audit.when if audit else record.proofs[-1].when,
        audited=audit is not None,
        run=record.run,
        damage=_lacks_folder(found) or found.proofs.damage,
        warnings=tuple(record.warnings),
    )


def _unreadable(found: PublishedDay, why: Exception) -> DayFacts:
    """Say what is left: its name, and when it came, by its files' times."""
    since = next(_times(found), _NEVER)
    missing = not found.record_file.exists()
    damage = f"{found.record_file} is missing." if missing else f"It can't be read. {why}"
    return DayFacts(
        day=found.day,
        revision=found.revision,
        files=0,
        bytes=0,
        copied=since,
        proven=since,
        run="",
        damage=damage,
    )


def _lacks_folder(found: PublishedDay) -> str | None:
    return None if found.folder.is_dir() else f"The folder {found.folder} is missing."


def _times(found: PublishedDay) -> Iterator[datetime]:
    for path in (found.record_file, found.folder):
        if path.exists():
            yield datetime.fromtimestamp(path.stat().st_mtime, UTC)
