"""Where a calendar of days begins."""

from include.days.first_day import first_day
from include.ordinal_day import OrdinalDay

DAY = OrdinalDay(2026, 268)


def test_a_calendar_begins_with_the_oldest_day_that_there_was() -> None:
    """Not with one that the source was asked for in vain, unless there is no other."""
    assert first_day([DAY, DAY + 1], [DAY - 30, DAY]) == DAY
    assert first_day([], [DAY, DAY - 1]) == DAY - 1
    assert first_day([], []) is None
