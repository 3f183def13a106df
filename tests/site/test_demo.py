"""The demo chooses sensible days on any date."""

from datetime import date

import pytest

from include.ordinal_day import OrdinalDay
from tests.site.demo import DemoDays


@pytest.mark.parametrize(
    ("today", "target", "past"),
    [
        (date(2026, 11, 23), "2026-325", ("2025-363", "2026-002")),
        (date(2025, 6, 1), "2025-150", ("2024-364", "2025-002")),  # 2024 was a leap year
        (date(2026, 1, 1), "2025-364", ("2024-364", "2025-002")),  # last year's end is not over yet
        (date(2026, 1, 12), "2026-010", ("2024-364", "2025-002")),
    ],
)
def test_the_five_past_days_cross_a_new_year_well_before_today(
    today: date, target: str, past: tuple[str, str]
) -> None:
    """So that every demo crosses a new year."""
    days = DemoDays.on(today)

    assert str(days.target) == target
    assert (str(days.past[0]), str(days.past[-1])) == past
    assert len(days.past) == 5
    assert days.past[-1] < days.recent[0]
    assert days.recent[-3:] == [days.target - 2, days.target - 1, OrdinalDay.parse(target)]
