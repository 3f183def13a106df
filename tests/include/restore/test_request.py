"""What a person may ask for: days of the calendar, a folder that is one place; all mistakes at once."""

from typing import Any

import pytest

from include.errors import ConfigError
from include.restore.request import RestoreRequest

FORM = {"day": "2026-268", "folder": "/data"}


def days(first: str, last: str | None) -> list[str]:
    """Give the days of a range."""
    return [str(day) for day in RestoreRequest.read(FORM | {"day": first, "last": last}).days]


def test_a_range_goes_over_a_leap_years_end() -> None:
    """Both ends included."""
    assert days("2008-364", "2009-002") == ["2008-364", "2008-365", "2008-366", "2009-001", "2009-002"]
    assert days("2007-364", "2008-001") == ["2007-364", "2007-365", "2008-001"]
    assert days("2026-268", None) == days("2026-268", "2026-268") == ["2026-268"]
    assert days("9999-365", None) == ["9999-365"]


def test_a_run_takes_so_many_days_and_no_more() -> None:
    """As many as one of Airflow's maps can hold, and a few less."""
    assert len(days("2020-001", "2022-269")) == 1000
    with pytest.raises(ConfigError, match="1,001 days are too many for one run: take 1,000 at a time"):
        days("2020-001", "2022-270")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a day that isn't": ({"day": "2026-366"}, "day: There is no day 366 in 2026"),
    "a date": ({"day": "2026-09-25"}, "is not a day. Write year and day of the year"),
    "backwards": ({"last": "2026-267"}, "the last day, 2026-267, is before the first, 2026-268"),
    "a relative folder": ({"folder": "data"}, "folder: 'data' must be an absolute path"),
    "a way up": ({"folder": "/data/../etc"}, "must be an absolute path without '..'"),
    "wildcards": ({"folder": "/data/*"}, "must hold none of * ? [ and backslash"),
    "no folder": ({"folder": None}, "folder: "),
    "revision 0": ({"revision": 0}, "revision: "),
    "no pattern": ({"pattern": ""}, "pattern: "),
    "what isn't asked": ({"delete": True}, "delete: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_with_its_field(case: str) -> None:
    """In a sentence of ours, or pydantic's."""
    changes, told = WRONG[case]
    with pytest.raises(ConfigError) as refused:
        RestoreRequest.read(FORM | changes)
    assert told in str(refused.value)
    assert str(refused.value).startswith("The form has 1 mistake. ")


def test_all_mistakes_are_told_at_once() -> None:
    """Who filled in the form needn't come back for each."""
    with pytest.raises(ConfigError, match=r"The form has 3 mistakes\. day: .*; revision: .*; folder: "):
        RestoreRequest.read({"day": "x", "folder": "y", "revision": -1})
