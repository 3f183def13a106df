"""The calendar's cells and the charts, as the browser gets them: small, and made of numbers alone."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from include.ordinal_day import OrdinalDay
from include.standing.coverage import DayStanding, DayState, Step, Year
from inpe_backup.ui import cells, charts
from inpe_backup.ui.looks import LEGEND
from tests.published import NOW, rules

ZONE = ZoneInfo("America/Sao_Paulo")


def year(number: int, first: int = 1, length: int = 365, state: DayState = DayState.PROVEN) -> Year:
    """Give a year whose days are all in one state."""
    days = (OrdinalDay(number, first) + more for more in range(length - first + 1))
    return Year(number, tuple(DayStanding(day, state, "", Step.WAIT) for day in days))


def grid(of: Year) -> list[list[str]]:
    """Read the cells' classes back, row by row; ``x`` is no day."""
    rows = str(cells.rows(of)).split("\n")
    return [re.findall(r"<td(?: class=(\w))?(?: tabindex=0)?>", row) for row in rows]


def test_a_days_column_gives_its_tens_and_its_row_the_last_digit() -> None:
    """Day 268 is the ninth of column 26."""
    days = list(year(2026).days)
    days[267] = DayStanding(OrdinalDay(2026, 268), DayState.DAMAGED, "", Step.WAIT)
    found = grid(Year(2026, tuple(days)))
    assert (len(found), {len(row) for row in found}) == (10, {37})
    assert [(row, column) for row in range(10) for column in range(37) if found[row][column] == "b"] == [
        (8, 26)
    ]


def test_a_leap_year_has_one_day_more_and_no_year_a_day_zero() -> None:
    """They differ in day 366 alone."""
    leap, common = grid(year(2024, length=366)), grid(year(2025))
    assert (leap[6][36], common[6][36]) == ("", "x")
    assert leap[0][0] == common[0][0] == "x"
    assert sum(cell != "x" for row in leap for cell in row) == 366


def test_days_before_the_first_one_known_are_no_cells() -> None:
    """The calendar begins with it."""
    found = grid(year(2016, first=100))
    assert (found[9][9], found[0][10]) == ("x", "")


def test_the_tab_key_enters_a_year_once_at_its_newest_day_due() -> None:
    """Arrow keys do the rest."""
    days = (*year(2026, length=200).days, *year(2026, 201, state=DayState.NOT_DUE).days)
    assert str(cells.rows(Year(2026, days))).count("tabindex") == 1
    assert "<td tabindex=0>" in str(cells.rows(Year(2026, days))).split("\n")[0]


def test_ten_years_of_cells_weigh_little() -> None:
    """Most of them are five characters."""
    assert sum(len(cells.rows(year(number))) for number in range(2016, 2026)) < 30_000


def test_the_legend_says_of_each_sign_whether_the_day_is_safe() -> None:
    """As it is judged; a backup helps with all that isn't."""
    for state, name in cells.CLASSES.items():
        [group] = [group for group, looks in LEGEND.items() if (name or "v") in looks]
        assert (group == "Safe", group == "Not safe") == (state.safe, state.mendable)


def test_downtimes_beyond_the_budget_are_drawn_apart() -> None:
    """And the budget's line sinks as far as they go beyond it."""
    drawn = charts.spark([30, None, 120], 60)
    assert drawn == charts.Spark("M47 18v-4", "M57 18v-18", 9)


def test_a_downtime_of_nothing_is_still_seen() -> None:
    """One pixel; a machine that wasn't stopped has no bar."""
    assert charts.spark([0.0], 60).within.endswith("v-1")
    assert charts.spark([None], 60) == charts.Spark("", "", 0)


def test_the_room_is_drawn_against_all_of_the_vault() -> None:
    """12 TB are the whole height; the reserve takes 5 % of it."""
    points = [(NOW - timedelta(days=9), rules(3 * 10**12).space), (NOW, rules(6 * 10**12).space)]
    drawn = charts.room(points, ZONE)
    assert drawn
    assert (drawn.line, drawn.reserve) == ("M0 135.0L720 90.0L720 90.0", 9.0)


def test_one_measurement_is_no_line() -> None:
    """Nor is none."""
    assert charts.room([(NOW, rules().space)], ZONE) is None


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
def test_the_rooms_axis_has_a_few_round_sizes(total: int, ticks: list[str]) -> None:
    """From nothing at the bottom, as far as the vault goes."""
    space = rules().space.model_copy(update={"used_bytes": total // 2, "free_bytes": total - total // 2})
    drawn = charts.room([(NOW - timedelta(days=9), space), (NOW, space)], ZONE)
    assert drawn
    assert [tick.says for tick in drawn.sizes] == ticks
    assert drawn.sizes[0].at == charts.ROOM_HEIGHT
    assert all(0 <= tick.at <= charts.ROOM_HEIGHT for tick in drawn.sizes)


@pytest.mark.parametrize(
    ("days", "dates"),
    [
        (40, ["2026-10-15", "2026-10-25", "2026-11-04", "2026-11-14", "2026-11-24"]),
        (2, ["2026-11-22", "2026-11-24"]),
    ],
)
def test_the_rooms_axis_has_a_few_dates_each_once(days: int, dates: list[str]) -> None:
    """In the institute's zone, where it's the evening before."""
    now = NOW.replace(hour=1)
    drawn = charts.room([(now - timedelta(days=days), rules().space), (now, rules().space)], ZONE)
    assert drawn
    assert [tick.says for tick in drawn.dates] == dates
