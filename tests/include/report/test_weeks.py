"""The calendar's rows, above all at New Year."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.ordinal_day import OrdinalDay, window
from include.report import CoveredDay
from include.report.weeks import Week, weeks
from include.results.states import Coverage
from tests.include.report.sample_items import covered


def _days(last: OrdinalDay, length: int) -> list[CoveredDay]:
    return [CoveredDay(day=day, state=Coverage.SAFE) for day in window(last, length)]


def _numbers(week: Week) -> list[int | None]:
    return [cell.day.number if cell else None for cell in week.cells]


def test_a_week_goes_from_monday_to_sunday() -> None:
    """Day 268 of 2026 is a Friday."""
    (week,) = weeks([covered("2026-268"), covered("2026-264")])
    assert _numbers(week) == [264, None, None, None, 268, None, None]
    assert (week.year, week.first, week.new_year) == (2026, date(2026, 9, 21), True)


@pytest.mark.parametrize(
    ("last", "before", "after"),
    [
        # 1 January 2027 is a Friday, so its week is cut in two.
        ("2027-003", [362, 363, 364, 365, None, None, None], [None, None, None, None, 1, 2, 3]),
        # 2024 is a leap year, and 1 January 2025 a Wednesday.
        ("2025-005", [365, 366, None, None, None, None, None], [None, None, 1, 2, 3, 4, 5]),
        # 1 January 2024 is a Monday: nothing to cut.
        ("2024-007", [359, 360, 361, 362, 363, 364, 365], [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_a_week_with_new_year_becomes_two_rows(
    last: str, before: list[int | None], after: list[int | None]
) -> None:
    """Each row belongs to one year, and a year's first row is marked."""
    *_, old, new = weeks(_days(OrdinalDay.parse(last), 21))
    assert (_numbers(old), _numbers(new)) == (before, after)
    assert (old.new_year, new.new_year, new.first) == (False, True, date(new.year, 1, 1))


def test_no_days_make_no_calendar() -> None:
    """The report has a sentence instead."""
    assert weeks([]) == []


@given(st.lists(st.dates().map(OrdinalDay.of), unique=True, max_size=40))
def test_every_day_is_once_under_its_own_weekday(days: list[OrdinalDay]) -> None:
    """Whatever the days and their order, up to the calendar's first and last year."""
    rows = weeks(CoveredDay(day=day, state=Coverage.SAFE) for day in days)
    cells = [(cell.day, column) for week in rows for column, cell in enumerate(week.cells) if cell]
    assert cells == [(day, day.date.weekday()) for day in sorted(days)]
