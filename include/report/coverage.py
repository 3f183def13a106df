"""The coverage of days for the daily report: the last weeks, and their whole years."""

from collections.abc import Iterable, Mapping

from include.days.published import PublishedDay
from include.ordinal_day import OrdinalDay, days_in, window
from include.report import CoveredDay, CoveredYear
from include.results.item import Item
from include.results.states import Coverage, Outcome

CALENDAR_DAYS = 35


def coverage(
    own: OrdinalDay,
    published: Mapping[OrdinalDay, PublishedDay],
    items: Iterable[Item],
    first: OrdinalDay | None,
) -> Iterable[CoveredDay]:
    """Yield the state of each day of the last weeks, up to a run's own day.

    Args:
        own: the run's own day; it's always there.
        published: the newest revision of each day that the vault holds.
        items: the run's items.
        first: where the calendar begins.
    """
    outcomes = {item.name: item for item in items}
    for day in window(own, CALENDAR_DAYS):
        item, found = outcomes.get(str(day)), published.get(day)
        if first and day < first and day != own:
            continue
        if item and item.outcome is Outcome.WOULD_COPY:
            state = Coverage.WOULD_COPY
        elif found:
            state = _of_published(found)
        elif item and item.outcome is not Outcome.MISSING:
            state = Coverage.FAILED
        else:
            state = Coverage.MISSING
        yield CoveredDay(day=day, state=state)


def years(
    weeks: Iterable[CoveredDay],
    published: Mapping[OrdinalDay, PublishedDay],
    newest_due: OrdinalDay,
    first: OrdinalDay | None,
) -> tuple[CoveredYear, ...]:
    """Return the states of all days of the years of the last weeks.

    Args:
        weeks: the days of the last weeks.
        published: the newest revision of each day that the vault holds.
        newest_due: the newest day that is due.
        first: where the calendar begins.
    """
    recent = {cell.day: cell.state for cell in weeks}
    begins = first or min(recent, default=newest_due)
    touched = sorted({day.year for day in recent})
    days = [OrdinalDay(year, number) for year in touched for number in range(1, days_in(year) + 1)]
    states = {
        day: recent.get(day) or _status(published.get(day), due=day <= newest_due)
        for day in days
        if day >= begins or day in recent
    }
    return tuple(
        CoveredYear.of(year, {day.number: state for day, state in states.items() if day.year == year})
        for year in touched
    )


def _status(found: PublishedDay | None, *, due: bool) -> Coverage:
    if found:
        return _of_published(found)
    return Coverage.MISSING if due else Coverage.NOT_DUE


def _of_published(found: PublishedDay) -> Coverage:
    if found.damage:
        return Coverage.FAILED
    return Coverage.REVISED if found.revision > 1 else Coverage.SAFE
