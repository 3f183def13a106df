"""The picture of a year: each day in its place, and each state with its own shape."""

import pytest

from include.ordinal_day import OrdinalDay, days_in
from include.report import CoveredYear
from include.report.pictures import calendar_picture
from include.report.pictures.calendar_picture import picture
from include.report.pictures.canvas import BLUE, GREEN, SKY, VERMILION
from include.results.states import Coverage
from tests.include.report.pictures import count, is_near, opened

COLOURS = {
    Coverage.SAFE: GREEN,
    Coverage.REVISED: BLUE,
    Coverage.MISSING: VERMILION,
    Coverage.FAILED: VERMILION,
    Coverage.WOULD_COPY: SKY,
}


def year(states: dict[int, Coverage], number: int = 2026) -> CoveredYear:
    """Return a year with the states of some days."""
    return CoveredYear.of(number, states)


def place(number: int) -> tuple[int, int]:
    """Return the pixel of a day's centre in the picture of one year."""
    return round((26 + (number // 10 + 0.5) * 14.4) * 2), round((52 + (number % 10 + 0.5) * 14.4) * 2)


@pytest.mark.parametrize("number", [1, 9, 10, 268, 365])
def test_a_days_place_is_given_by_its_digits(number: int) -> None:
    """The first two are the column, the last is the row; days without a state aren't drawn."""
    drawn = opened(picture([year({number: Coverage.SAFE})], None))

    for other in (1, 9, 10, 268, 365):
        colour = drawn.getpixel(place(other))
        assert isinstance(colour, tuple)
        assert is_near(colour, (0, 158, 115)) is (other == number)


@pytest.mark.parametrize("state", COLOURS)
def test_each_state_has_its_colour(state: Coverage) -> None:
    """In the year and in the legend; no other colour is used."""
    drawn = opened(picture([year({100: state})], None))
    others = {*COLOURS.values()} - {COLOURS[state]}

    assert count(drawn, COLOURS[state]) > 40
    assert [count(drawn, other) for other in others] == [0] * len(others)


def test_each_state_has_its_own_shape() -> None:
    """They can be distinguished without colours."""
    marks = calendar_picture._MARKS  # noqa: SLF001 - a picture can't show it
    looks = {(mark.shape, mark.fill == "none", mark.area) for mark in marks.values()}

    assert len(looks) == len(Coverage)


def test_the_runs_day_is_framed() -> None:
    """In its own year only."""
    plain, framed = (picture([year({5: Coverage.SAFE})], own) for own in (None, OrdinalDay(2026, 5)))

    assert plain != framed
    assert picture([year({5: Coverage.SAFE})], OrdinalDay(2025, 5)) == plain


def test_the_picture_of_two_years_is_small() -> None:
    """As needed in January; one of them is a leap year."""
    full = [
        CoveredYear.of(number, dict.fromkeys(range(1, days_in(number) + 1), Coverage.SAFE))
        for number in (2024, 2025)
    ]
    both, one = picture(full, OrdinalDay(2025, 3)), picture(full[:1], None)

    assert len(both) < 60_000
    assert opened(both).height == 2 * opened(one).height
    assert is_near(opened(one).getpixel(place(366)), (0, 158, 115))  # type: ignore[arg-type]
