"""Sizes, durations, counts and times as text, and unprintable characters escaped."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.text import counted, duration, size, span, visible, zoned
from tests.site.airflow_home import PROJECT

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_960, "10 kB"),
        (412_000_000, "412 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1.0 GB"),
        (1_300_000_000, "1.3 GB"),
        (8 * 10**12, "8.0 TB"),
        (5 * 10**18, "5,000 PB"),
        (-36_000_000, "-36 MB"),
    ],
)
def test_sizes_are_decimal_and_short(count: int, text: str) -> None:
    """Two or three figures and a unit, whatever the size."""
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0, "0.0 s"),
        (4.24, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (4320, "1 h 12 min"),
        (90000, "25 h 0 min"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    """Rounding never results in 60 of a unit."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "0 days"),
        (1, "1 day"),
        (60, "60 days"),
        (61, "about 2 months"),
        (700, "about 23 months"),
        (800, "about 2 years"),
        (6200, "about 17 years"),
        (99999, "more than 20 years"),
    ],
)
def test_estimated_days_are_rounded_the_more_the_further_away(days: int, text: str) -> None:
    """A trend of 30 days can't predict the day on which a disk is full in nine years."""
    assert span(days) == text


def test_a_count_of_one_has_a_singular_noun() -> None:
    """And thousands are grouped."""
    assert [counted(n, "file") for n in (0, 1, 2, 1234)] == ["0 files", "1 file", "2 files", "1,234 files"]


@pytest.mark.parametrize(
    ("hostile", "escaped"),
    [
        ("São Paulo ✓", "São Paulo ✓"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("bad\udcff", r"bad\xff"),
        ("\ud800", r"\ud800"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2028b\u200bc", r"a\u2028b\u200bc"),
        ("<b>", "<b>"),
    ],
)
def test_unprintable_characters_are_escaped(hostile: str, escaped: str) -> None:
    """Undecodable bytes keep their value; letters of any language stay as they are."""
    assert visible(hostile) == escaped


@given(ANY_TEXT)
def test_escaped_text_is_one_printable_line_and_escaping_it_again_changes_nothing(text: str) -> None:
    """So a report stays the same however often it is stored as JSON."""
    escaped = visible(text)
    assert escaped.isprintable()
    assert visible(escaped) == escaped
    assert escaped.encode().decode() == escaped


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("America/Sao_Paulo", "2026-11-22 02:00 UTC-3"),
        ("Asia/Kolkata", "2026-11-22 10:30 UTC+5:30"),
        ("UTC", "2026-11-22 05:00 UTC"),
    ],
)
def test_a_time_names_its_zone(zone: str, shown: str) -> None:
    """By its offset, as the page does."""
    assert zoned(datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC).astimezone(ZoneInfo(zone))) == shown


def test_no_other_module_formats_a_time_for_people() -> None:
    """One that did would sooner or later name another zone than the institute's."""
    code = [path for room in ("include", "plugins") for path in (PROJECT / room).rglob("*.py")]
    there = {path.name for path in code if re.search("%H:%M(?!Z|:%SZ)", path.read_text("utf-8"))}
    tables = {"list_command.py", "render.py", "tec_map.py"}  # where the zone is named once for several times
    assert there == {"text.py", *tables}
