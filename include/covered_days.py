"""How the days of the vault stand, for the daily report: the last weeks, and their whole years."""

from collections.abc import Iterable, Mapping

from include.ordinal_day import OrdinalDay, days_in, window
from include.published_day import PublishedDay
from include.report import Coverage, CoveredDay, CoveredYear, Item, Outcome

CALENDAR_DAYS = 35


def coverage(
    own: OrdinalDay, published: Mapping[OrdinalDay, PublishedDay], items: Iterable[Item]
) -> Iterable[CoveredDay]:
    """Tell of the last weeks, up to a run's own day, what became of each day.

    Args:
        own: that day.
        published: the newest revision of each day that the vault holds.
        items: what the run says.
    """
    outcomes = {item.name: item for item in items}
    for day in window(own, CALENDAR_DAYS):
        item, found = outcomes.get(str(day)), published.get(day)
        if item and item.outcome is Outcome.WOULD_COPY:
            state = Coverage.WOULD_COPY
        elif found and not found.damage:
            state = Coverage.REVISED if found.revision > 1 else Coverage.SAFE
        elif found or (item and item.outcome is not Outcome.MISSING):
            state = Coverage.FAILED
        else:
            state = Coverage.MISSING
        yield CoveredDay(day=day, state=state)


def years(
    weeks: Iterable[CoveredDay], published: Mapping[OrdinalDay, PublishedDay], newest_due: OrdinalDay
) -> tuple[CoveredYear, ...]:
    """Tell of all days of the years that the last weeks touch; before the first that is kept, of none.

    Args:
        weeks: the last weeks.
        published: the newest revision of each day that the vault holds.
        newest_due: the last day that should be there.
    """
    told = {cell.day: cell.state for cell in weeks}
    first = min([*told, *published], default=newest_due)
    touched = sorted({day.year for day in told})
    days = [OrdinalDay(year, number) for year in touched for number in range(1, days_in(year) + 1)]
    states = {day: told.get(day) or _standing(published.get(day), due=day <= newest_due) for day in days}
    return tuple(
        CoveredYear.of(year, {day.number: states[day] for day in days if day.year == year and day >= first})
        for year in touched
    )


def _standing(found: PublishedDay | None, *, due: bool) -> Coverage:
    if not found:
        return Coverage.MISSING if due else Coverage.NOT_DUE
    if found.damage:
        return Coverage.FAILED
    return Coverage.REVISED if found.revision > 1 else Coverage.SAFE
