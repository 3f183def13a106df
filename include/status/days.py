"""The status of a vault's days: of the newest revision of each, even one that lost its record or folder."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from include.days.published import PublishedDay
from include.errors import VaultError
from include.ordinal_day import OrdinalDay
from include.status.parts import DaysPart, DayStatus

_NEVER = datetime.fromtimestamp(0, UTC)


def newest(published: Iterable[PublishedDay], lost: Iterable[PublishedDay]) -> dict[OrdinalDay, PublishedDay]:
    """Return the newest published revision of each day, oldest day first; where there is none, a lost one."""
    # Both are sorted: of each day the last revision wins.
    newest_of_day = {revision.day: revision for revision in (*lost, *published)}
    return dict(sorted(newest_of_day.items()))


def of_year(year: int, published: Iterable[PublishedDay]) -> DaysPart:
    """Return the status of one year's days."""
    return DaysPart(year=year, days=tuple(day_status(day) for day in published if day.day.year == year))


def day_status(published: PublishedDay) -> DayStatus:
    """Return the status of a day; an unreadable record or folder is its damage."""
    try:
        return _readable(published)
    except (VaultError, OSError, ValueError) as error:
        return _unreadable(published, error)


def _readable(published: PublishedDay) -> DayStatus:
    record, scrub = published.record, published.verification_log.passed("scrub")
    return DayStatus(
        day=published.day,
        revision=published.revision,
        cause=record.cause,
        files=record.files,
        bytes=record.bytes,
        copied=record.copied,
        verified=scrub.when if scrub else record.verifications[-1].when,
        scrubbed=scrub is not None,
        run=record.run,
        damage=_missing_folder(published) or published.verification_log.damage,
        warnings=tuple(record.warnings),
    )


def _unreadable(published: PublishedDay, error: Exception) -> DayStatus:
    """Return what is left: its name, and when it was copied, by its files' times."""
    since = next(_times(published), _NEVER)
    missing = not published.record_file.exists()
    damage = f"{published.record_file} is missing." if missing else f"It can't be read. {error}"
    return DayStatus(
        day=published.day,
        revision=published.revision,
        files=0,
        bytes=0,
        copied=since,
        verified=since,
        run="",
        damage=damage,
    )


def _missing_folder(published: PublishedDay) -> str | None:
    return None if published.folder.is_dir() else f"The folder {published.folder} is missing."


def _times(published: PublishedDay) -> Iterator[datetime]:
    for path in (published.record_file, published.folder):
        if path.exists():
            yield datetime.fromtimestamp(path.stat().st_mtime, UTC)
