"""The coverage calendar: weeks from Monday to Sunday, cut where a year ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from include.ordinal_day import OrdinalDay
from include.report.model import CoveredDay


@dataclass(frozen=True, slots=True)
class Week:
    """One row of seven cells, Monday first; a cell is None if the calendar has no state of its day."""

    year: int
    first: date
    cells: tuple[CoveredDay | None, ...]
    new_year: bool


def weeks(coverage: Iterable[CoveredDay]) -> list[Week]:
    """Return the days by week, oldest first. A week with a New Year in it becomes two rows.

    The day's number jumps from 365 to 1 there, and each row belongs to one year only.
    """
    by_day = {covered.day: covered for covered in coverage}
    rows = sorted({_first(day) for day in by_day})
    return [
        _week(first, by_day, new_year=i == 0 or rows[i - 1].year < first.year) for i, first in enumerate(rows)
    ]


def _first(day: OrdinalDay) -> date:
    """Return the day's Monday, or 1 January if the week began in the year before."""
    return OrdinalDay(day.year, max(day.number - day.date.weekday(), 1)).date


def _week(first: date, by_day: dict[OrdinalDay, CoveredDay], *, new_year: bool) -> Week:
    day = OrdinalDay.of(first)
    # Numbers below 1 or past the year's end are in no calendar, so they find nothing: an empty cell.
    numbers = (day.number - first.weekday() + column for column in range(7))
    found = {covered.day.number: covered for covered in by_day.values() if covered.day.year == day.year}
    return Week(day.year, first, tuple(found.get(number) for number in numbers), new_year)
