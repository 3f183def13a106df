"""The parameters of a restore of days: all mistakes are reported at once."""

from typing import Any

import pytest

from include.errors import RequestError
from include.restore.day_request import DayRestoreRequest

FORM = {"day": "2026-268", "folder": "/data"}


def days(first: str, last: str | None) -> list[str]:
    """Return the days of a range."""
    return [str(day) for day in DayRestoreRequest.read(FORM | {"day": first, "last": last}).days]


def test_a_range_may_cross_the_end_of_a_leap_year() -> None:
    """Both ends are included."""
    assert days("2008-364", "2009-002") == ["2008-364", "2008-365", "2008-366", "2009-001", "2009-002"]
    assert days("2007-364", "2008-001") == ["2007-364", "2007-365", "2008-001"]
    assert days("2026-268", None) == days("2026-268", "2026-268") == ["2026-268"]
    assert days("9999-365", None) == ["9999-365"]


def test_a_day_may_be_given_as_date_or_ordinal() -> None:
    """Each of both, in either form."""
    assert days("2026-12-31", "2027-002") == ["2026-365", "2027-001", "2027-002"]


def test_a_run_takes_at_most_a_thousand_days() -> None:
    """A little fewer than Airflow maps a task at most."""
    assert len(days("2020-001", "2022-269")) == 1000
    with pytest.raises(
        RequestError, match="1,001 days are too many for one run; restore at most 1,000 at a time"
    ):
        days("2020-001", "2022-270")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no such day": ({"day": "2026-366"}, "day: There is no day 366 in 2026"),
    "no such date": ({"day": "2026-02-30"}, "There is no 2026-02-30: its month has the days 01 to 28"),
    "no day at all": ({"day": "2026-9-25"}, "is not a day. Write year and day of the year"),
    "backwards": ({"last": "2026-267"}, "the last day, 2026-267, is before the first, 2026-268"),
    "a relative folder": ({"folder": "data"}, "folder: 'data' must be an absolute path"),
    "a parent folder": ({"folder": "/data/../etc"}, "must be an absolute path without '..'"),
    "wildcards": ({"folder": "/data/*"}, "must not contain * ? [ or a backslash"),
    "no folder": ({"folder": None}, "folder: "),
    "revision 0": ({"revision": 0}, "revision: "),
    "no pattern": ({"pattern": ""}, "pattern: "),
    "an unknown field": ({"delete": True}, "delete: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_reported_with_its_field(case: str) -> None:
    """With the project's message, or pydantic's."""
    changes, message = WRONG[case]
    with pytest.raises(RequestError) as refused:
        DayRestoreRequest.read(FORM | changes)
    assert message in str(refused.value)
    assert str(refused.value).startswith("The form has 1 mistake. ")


def test_all_mistakes_are_reported_at_once() -> None:
    """So the form is corrected once."""
    with pytest.raises(RequestError, match=r"The form has 3 mistakes\. day: .*; revision: .*; folder: "):
        DayRestoreRequest.read({"day": "x", "folder": "y", "revision": -1})
