"""The calendar's cells and the charts: small, and made of nothing but numbers."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from include.ordinal_day import OrdinalDay
from include.status.day_status import CalendarDay, DayState, NextStep, Year
from inpe_backup.ui import cells, charts
from inpe_backup.ui.view_model import LEGEND
from tests.sample_status import NOW, rules

ZONE = ZoneInfo("America/Sao_Paulo")


def year(number: int, first: int = 1, length: int = 365, state: DayState = DayState.VERIFIED) -> Year:
    """Return a year whose days are all in one state."""
    days = (OrdinalDay(number, first) + offset for offset in range(length - first + 1))
    return Year(number, tuple(CalendarDay(day, state, "", NextStep.WAIT) for day in days))


def grid(of: Year) -> list[list[str]]:
    """Return the classes of a year's cells, row by row; ``x`` is no day."""
    rows = str(cells.rows(of)).split("\n")
    return [re.findall(r"<td(?: class=(\w))?(?: tabindex=0)?>", row) for row in rows]


def test_columns_are_tens_and_rows_are_last_digits() -> None:
    """Day 268 is the ninth of column 26."""
    days = list(year(2026).days)
    days[267] = CalendarDay(OrdinalDay(2026, 268), DayState.DAMAGED, "", NextStep.WAIT)
    found = grid(Year(2026, tuple(days)))
    assert (len(found), {len(row) for row in found}) == (10, {37})
    assert [(row, column) for row in range(10) for column in range(37) if found[row][column] == "b"] == [
        (8, 26)
    ]


def test_a_leap_year_has_day_366_and_no_year_has_day_zero() -> None:
    """They differ in nothing else."""
    leap, common = grid(year(2024, length=366)), grid(year(2025))
    assert (leap[6][36], common[6][36]) == ("", "x")
    assert leap[0][0] == common[0][0] == "x"
    assert sum(cell != "x" for row in leap for cell in row) == 366


def test_the_calendar_begins_with_the_first_known_day() -> None:
    """Days before it are empty cells."""
    found = grid(year(2016, first=100))
    assert (found[9][9], found[0][10]) == ("x", "")


def test_each_year_has_one_tab_stop_at_its_newest_due_day() -> None:
    """From there, arrow keys move."""
    days = (*year(2026, length=200).days, *year(2026, 201, state=DayState.NOT_DUE).days)
    assert str(cells.rows(Year(2026, days))).count("tabindex") == 1
    assert "<td tabindex=0>" in str(cells.rows(Year(2026, days))).split("\n")[0]


def test_ten_years_of_cells_are_less_than_30_kb() -> None:
    """Most cells are four characters."""
    assert sum(len(cells.rows(year(number))) for number in range(2016, 2026)) < 30_000


def test_the_legend_groups_states_by_whether_they_are_safe() -> None:
    """A backup may help with each that isn't."""
    for state, name in cells.CLASSES.items():
        [group] = [group for group, states in LEGEND.items() if (name or "v") in states]
        assert (group == "Safe", group == "Not safe") == (state.safe, state.needs_backup)


def test_downtimes_over_the_budget_are_drawn_separately() -> None:
    """The longest bar has the full height, and the budget line its share."""
    drawn = charts.spark([30, None, 120], 60)
    assert drawn == charts.Spark("M47 18v-4", "M57 18v-18", 9)


def test_a_downtime_of_zero_has_a_visible_bar() -> None:
    """Of one pixel; a VM that was not stopped has none."""
    assert charts.spark([0.0], 60).within.endswith("v-1")
    assert charts.spark([None], 60) == charts.Spark("", "", 0)


def test_used_space_is_drawn_to_the_scale_of_the_vault() -> None:
    """12 TB are the full height; the reserve is 5 % of it."""
    points = [(NOW - timedelta(days=9), rules(3 * 10**12).space), (NOW, rules(6 * 10**12).space)]
    drawn = charts.space_chart(points, ZONE)
    assert drawn
    assert (drawn.line, drawn.reserve) == ("M0 135.0L720 90.0L720 90.0", 9.0)


def test_one_measurement_has_no_chart() -> None:
    """A line needs two."""
    assert charts.space_chart([(NOW, rules().space)], ZONE) is None


@pytest.mark.parametrize(
    ("total", "ticks"),
    [
        (12 * 10**12, ["0", "5.0 TB", "10 TB"]),
        (8 * 10**12, ["0", "2.0 TB", "4.0 TB", "6.0 TB", "8.0 TB"]),
        (10**12, ["0", "500 GB", "1.0 TB"]),
        (1_999 * 10**9, ["0", "500 GB", "1.0 TB", "1.5 TB"]),
        (999 * 10**9, ["0", "200 GB", "400 GB", "600 GB", "800 GB"]),
    ],
)
def test_the_size_axis_has_a_few_round_sizes(total: int, ticks: list[str]) -> None:
    """From zero to at most the size of the vault."""
    space = rules().space.model_copy(update={"used_bytes": total // 2, "free_bytes": total - total // 2})
    drawn = charts.space_chart([(NOW - timedelta(days=9), space), (NOW, space)], ZONE)
    assert drawn
    assert [tick.label for tick in drawn.sizes] == ticks
    assert drawn.sizes[0].at == charts.SPACE_HEIGHT
    assert all(0 <= tick.at <= charts.SPACE_HEIGHT for tick in drawn.sizes)


@pytest.mark.parametrize(
    ("days", "dates"),
    [
        (40, ["2026-10-15", "2026-10-25", "2026-11-04", "2026-11-14", "2026-11-24"]),
        (2, ["2026-11-22", "2026-11-24"]),
    ],
)
def test_the_date_axis_has_a_few_different_dates(days: int, dates: list[str]) -> None:
    """In the institute's time zone, where it is the evening before."""
    now = NOW.replace(hour=1)
    drawn = charts.space_chart([(now - timedelta(days=days), rules().space), (now, rules().space)], ZONE)
    assert drawn
    assert [tick.label for tick in drawn.dates] == dates
