"""Ordinal days agree with the standard library's calendar, and nothing else is accepted as a day."""

import operator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import BackupError, InvalidDayError
from include.ordinal_day import FolderPattern, OrdinalDay, days_in, require_begun, window

DATES = st.dates(date(1900, 1, 1), date(2200, 12, 31))
DAYS = DATES.map(OrdinalDay.of)
PATTERNS = st.sampled_from(
    [
        "{year}/{day:03d}",
        "{year}/{day:02d}",
        "{year}/{day}",
        "{year:04d}/{day:01d}",
        "{day}-{year}",
        "{year}{day:03d}",
        "runs/v1.0 (final)/{year}/d{day}x",
    ]
)


@given(DATES)
def test_a_day_is_written_as_the_standard_library_writes_it(then: date) -> None:
    """ISO 8601: ``%Y-%j``; parsed again, it is the same day and the same date."""
    day = OrdinalDay.of(then)
    assert str(day) == f"{then:%Y-%j}"
    assert OrdinalDay.parse(str(day)) == day
    assert day.date == then


@given(DATES, st.integers(-100_000, 100_000))
def test_counting_days_crosses_years_as_the_calendar_does(then: date, days: int) -> None:
    """Forwards and back."""
    moved = OrdinalDay.of(then) + days
    assert moved.date == then + timedelta(days=days)
    assert moved - days == OrdinalDay.of(then)


@given(DATES, DATES)
def test_days_sort_as_dates_do(one: date, other: date) -> None:
    """Every comparison agrees."""
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq):
        assert compare(OrdinalDay.of(one), OrdinalDay.of(other)) == compare(one, other)


@given(DATES, st.integers(0, 800))
def test_a_window_is_days_in_a_row_that_end_with_the_last(then: date, length: int) -> None:
    """Oldest first, over any number of year ends."""
    days = window(OrdinalDay.of(then), length)
    assert [day.date for day in days] == [then - timedelta(days=length - 1 - i) for i in range(length)]


@pytest.mark.parametrize(
    ("last", "days"),
    [
        ("2026-001", ["2025-364", "2025-365", "2026-001"]),
        ("2025-002", ["2024-366", "2025-001", "2025-002"]),
        ("2000-366", ["2000-364", "2000-365", "2000-366"]),
        ("1900-060", ["1900-058", "1900-059", "1900-060"]),
        ("1901-001", ["1900-364", "1900-365", "1901-001"]),
    ],
)
def test_the_two_days_before_new_year_are_of_the_old_year(last: str, days: list[str]) -> None:
    """The scripts before this project used the wrong year's folder, or a wrong last day."""
    assert [str(day) for day in window(OrdinalDay.parse(last), 3)] == days


@pytest.mark.parametrize(
    ("year", "length"), [(1900, 365), (2000, 366), (2024, 366), (2026, 365), (2100, 365)]
)
def test_the_leap_rule_is_the_gregorian_one(year: int, length: int) -> None:
    """Centuries aren't leap years unless 400 divides them; the scripts before this project had that wrong."""
    assert days_in(year) == length
    assert OrdinalDay(year, length) + 1 == OrdinalDay(year + 1, 1)
    with pytest.raises(InvalidDayError, match=f"^There is no day {length + 1} in {year}; its days go from 1"):
        OrdinalDay(year, length + 1)


def test_an_aware_moment_counts_in_its_own_zone() -> None:
    """At 01:00 UTC on New Year's Day it is still the old year in São Paulo."""
    moment = datetime(2027, 1, 1, 1, tzinfo=UTC)
    assert str(OrdinalDay.of(moment)) == "2027-001"
    assert str(OrdinalDay.of(moment.astimezone(ZoneInfo("America/Sao_Paulo")))) == "2026-365"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-366", "There is no day 366 in 2026; its days go from 1 to 365."),
        ("2026-000", "There is no day 0 in 2026; its days go from 1 to 365."),
        ("0000-001", "There is no year 0; years go from 1 to 9999."),
        *(
            (
                text,
                f"{text!r} is not a day. Write year and day of the year as YYYY-DDD, for example 2026-268.",
            )
            for text in (
                "",
                "x",
                "2026-0",
                "2026-68",
                "2026-0268",
                "26-268",
                "2026268",
                "2026-09-25",
                "2026-268\n",
                " 2026-268",
                "+026-268",
                "2026--68",
                "٢٠٢٦-٢٦٨",
                "\uff12026-268",
                "2026\u2010268",
                "../../etc",
            )
        ),
    ],
)
def test_other_forms_and_impossible_days_are_refused(text: str, message: str) -> None:
    """The message says how to write a day."""
    with pytest.raises(InvalidDayError) as refused:
        OrdinalDay.parse(text)
    assert str(refused.value) == message


@given(st.text())
def test_any_text_is_a_day_or_refused(text: str) -> None:
    """Never another error, and an accepted text is written again unchanged."""
    try:
        assert str(OrdinalDay.parse(text)) == text
    except InvalidDayError as refused:
        assert isinstance(refused, BackupError)  # noqa: PT017 - either outcome is right


HOW = "Write year and day of the year, such as 2026-268, or the date, such as 2026-09-25."


@given(DATES)
def test_a_day_may_be_typed_as_date_or_ordinal(then: date) -> None:
    """In both forms it's the same day."""
    assert OrdinalDay.read(f"{then:%Y-%m-%d}") == OrdinalDay.read(f"{then:%Y-%j}") == OrdinalDay.of(then)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-366", "There is no day 366 in 2026; its days go from 1 to 365."),
        ("2026-02-29", "There is no 2026-02-29: its month has the days 01 to 28."),
        ("2026-13-01", "There is no 2026-13-01: months go from 01 to 12."),
        ("0000-01-01", "There is no 0000-01-01: years go from 1 to 9999."),
        *(
            (
                text,
                f"{text!r} is not a day. {HOW}",
            )
            for text in ("", "x", "2026-68", "2026-9-25", "25.09.2026", "2026-268\n", "٢٠٢٦-٠٩-٢٥")
        ),
    ],
)
def test_what_a_person_typed_wrong_is_refused_with_both_forms(text: str, message: str) -> None:
    """The message says what is wrong, or how to write a day."""
    with pytest.raises(InvalidDayError) as refused:
        OrdinalDay.read(text)
    assert str(refused.value) == message


@pytest.mark.parametrize(("last", "days"), [("9999-365", 1), ("0001-001", -1), ("2026-268", 10**9)])
def test_the_calendar_has_ends(last: str, days: int) -> None:
    """Days beyond them are refused like any other impossible day."""
    with pytest.raises(InvalidDayError, match="is beyond the years 1 to 9999"):
        OrdinalDay.parse(last) + days


@pytest.mark.parametrize(
    ("pattern", "candidates"),
    [
        ("{year}/{day:03d}", ["2026/007", "2026/07", "2026/7"]),
        ("{year}/{day:02d}", ["2026/07", "2026/007", "2026/7"]),
        ("{year}/{day}", ["2026/7", "2026/007", "2026/07"]),
        ("d{day}/{year:04d}", ["d7/2026", "d007/2026", "d07/2026"]),
    ],
)
def test_a_days_folder_may_have_any_padding(pattern: str, candidates: list[str]) -> None:
    """The pattern's own comes first: sources have ``7``, ``07`` and ``007``."""
    day = OrdinalDay.parse("2026-007")
    assert FolderPattern(pattern).candidates(day) == candidates
    assert FolderPattern(pattern).folder(day) == candidates[0]


def test_a_day_of_three_digits_has_one_candidate() -> None:
    """It is the same in every padding."""
    assert FolderPattern("{year}/{day}").candidates(OrdinalDay.parse("2026-268")) == ["2026/268"]


@given(PATTERNS, DAYS)
def test_every_candidate_folder_is_its_day(pattern: str, day: OrdinalDay) -> None:
    """Whatever the pattern's own padding."""
    folders = FolderPattern(pattern).candidates(day)
    assert FolderPattern(pattern).days(folders) == dict.fromkeys(folders, day)


@given(PATTERNS, DAYS, DAYS)
def test_two_days_never_share_a_folder(pattern: str, one: OrdinalDay, other: OrdinalDay) -> None:
    """Not even with different paddings."""
    shared = {*FolderPattern(pattern).candidates(one)} & {*FolderPattern(pattern).candidates(other)}
    assert bool(shared) == (one == other)


def test_folders_that_arent_days_are_left_out() -> None:
    """Other folders, impossible days, and names that only resemble a day."""
    others = [
        "2026",
        "2026/000",
        "2026/366",
        "2026/0001",
        "26/1",
        "2026/1/",
        "2026/1\n",
        "2026/٣",
        "x/2026/1",
    ]
    days = FolderPattern("{year}/{day}").days([*others, "2024/366", "2026/1"])
    assert days == {"2024/366": OrdinalDay(2024, 366), "2026/1": OrdinalDay(2026, 1)}


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "{year}",
        "{day}",
        "fixed",
        "/{year}/{day}",
        "{year}//{day}",
        "{year}/{day}/",
        "./{year}/{day}",
        "../{year}/{day}",
        "{year}/../{day}",
        "{year}/{day}/{day}",
        "{year}/{year}/{day}",
        "{year}/{day}{",
        "{year}/{day}}",
        "{year}/{{day}}",
        "{year}/{day}/{host}",
        "{year}/{}",
        "{0}/{day}",
        "{year.real}/{day}",
        "{year.__class__}/{day}",
        "{year[0]}/{day}",
        "{year!r}/{day}",
        "{year}/{day:>3}",
        "{year}/{day:04d}",
        "{year}/{day:0{year}d}",
        "{year:06d}/{day}",
        "{Year}/{Day}",
    ],
)
def test_a_pattern_that_gives_no_folder_to_each_day_is_refused(pattern: str) -> None:
    """It must be relative, stay below the root, and have each of the two fields once."""
    with pytest.raises(ValueError, match="does not give each day a folder of its own"):
        FolderPattern(pattern)


def test_a_pattern_is_no_regular_expression() -> None:
    """A dot is a dot."""
    assert FolderPattern("v1.0/{year}/{day}").days(["v1x0/2026/1"]) == {}


def test_a_day_after_today_isnt_there_yet() -> None:
    """Today is: it has begun."""
    today = OrdinalDay(2026, 365)
    require_begun(today, today)
    with pytest.raises(InvalidDayError, match=r"^There is no day 2027-001 \(2027-01-01\) yet\.$"):
        require_begun(today + 1, today)
