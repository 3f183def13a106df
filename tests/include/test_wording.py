"""Sizes, times and counts as people read them, and odd names made visible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.wording import counted, duration, size, span, visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("count", "said"),
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
def test_sizes_are_decimal_and_short(count: int, said: str) -> None:
    """Two or three figures and a unit, whatever the size."""
    assert size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
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
def test_durations_are_told_by_their_two_largest_units(seconds: float, said: str) -> None:
    """Rounding never gives 60 of a unit."""
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("days", "said"),
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
def test_days_to_come_are_told_as_roughly_as_they_are_known(days: int, said: str) -> None:
    """A trend of 30 days doesn't know the day on which a disk is full in nine years."""
    assert span(days) == said


def test_one_thing_is_singular() -> None:
    """Thousands are grouped."""
    assert [counted(n, "file") for n in (0, 1, 2, 1234)] == ["0 files", "1 file", "2 files", "1,234 files"]


@pytest.mark.parametrize(
    ("hostile", "shown"),
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
def test_what_cannot_be_seen_is_made_visible(hostile: str, shown: str) -> None:
    """Undecodable bytes keep their value; letters of any language stay as they are."""
    assert visible(hostile) == shown


@given(ANY_TEXT)
def test_visible_text_is_one_printable_line_and_stays_as_it_is(text: str) -> None:
    """So a report that travels through JSON again and again doesn't change."""
    shown = visible(text)
    assert shown.isprintable()
    assert visible(shown) == shown
    assert shown.encode().decode() == shown
