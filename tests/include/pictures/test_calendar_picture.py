"""The year by day of the year: each state in its place, and told by its shape as well."""

import pytest

from include.ordinal_day import OrdinalDay, days_in
from include.pictures import calendar_picture
from include.pictures.calendar_picture import picture
from include.pictures.canvas import BLUE, GREEN, SKY, VERMILION
from include.report import Coverage, CoveredYear
from tests.include.pictures import count, is_near, opened

COLOURS = {
    Coverage.SAFE: GREEN,
    Coverage.REVISED: BLUE,
    Coverage.MISSING: VERMILION,
    Coverage.FAILED: VERMILION,
    Coverage.WOULD_COPY: SKY,
}


def year(states: dict[int, Coverage], number: int = 2026) -> CoveredYear:
    """Give a year of which only some days are known."""
    return CoveredYear.of(number, states)


def place(number: int) -> tuple[int, int]:
    """Give where a day's middle is in the picture of one year, in dots."""
    return round((26 + (number // 10 + 0.5) * 14.4) * 2), round((52 + (number % 10 + 0.5) * 14.4) * 2)


@pytest.mark.parametrize("number", [1, 9, 10, 268, 365])
def test_a_day_is_where_its_digits_say(number: int) -> None:
    """The first two are the column, the last is the row; nothing is drawn where nothing is expected."""
    drawn = opened(picture([year({number: Coverage.SAFE})], None))

    for other in (1, 9, 10, 268, 365):
        seen = drawn.getpixel(place(other))
        assert isinstance(seen, tuple)
        assert is_near(seen, (0, 158, 115)) is (other == number)


@pytest.mark.parametrize("state", COLOURS)
def test_each_state_has_its_colour(state: Coverage) -> None:
    """Once in the year, and once more in the legend; the others' colours aren't there."""
    drawn = opened(picture([year({100: state})], None))
    others = {*COLOURS.values()} - {COLOURS[state]}

    assert count(drawn, COLOURS[state]) > 40
    assert [count(drawn, other) for other in others] == [0] * len(others)


def test_no_two_states_share_a_shape_and_a_filling() -> None:
    """Without its colour, each is still another."""
    marks = calendar_picture._MARKS  # noqa: SLF001 - colours left out, which a picture can't show
    looks = {(mark.shape, mark.fill == "none", mark.area) for mark in marks.values()}

    assert len(looks) == len(Coverage)


def test_the_own_day_has_a_frame_and_is_named() -> None:
    """Of the year that it's in."""
    plain, framed = (picture([year({5: Coverage.SAFE})], own) for own in (None, OrdinalDay(2026, 5)))

    assert plain != framed
    assert picture([year({5: Coverage.SAFE})], OrdinalDay(2025, 5)) == plain


def test_whole_years_below_each_other_stay_small() -> None:
    """In January, the last weeks touch two; a leap year has a day more."""
    full = [
        CoveredYear.of(number, dict.fromkeys(range(1, days_in(number) + 1), Coverage.SAFE))
        for number in (2024, 2025)
    ]
    both, one = picture(full, OrdinalDay(2025, 3)), picture(full[:1], None)

    assert len(both) < 60_000
    assert opened(both).height == 2 * opened(one).height
    assert is_near(opened(one).getpixel(place(366)), (0, 158, 115))  # type: ignore[arg-type]
