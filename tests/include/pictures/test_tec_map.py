"""A map shows what the data say, where they say it; and says so in words."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from include.ordinal_day import OrdinalDay
from include.pictures import tec_map
from include.pictures.tec_field import Numbers, TecField
from tests.include.pictures import is_near, opened

DAY = OrdinalDay.parse("2026-268")
ZONE = ZoneInfo("America/Sao_Paulo")
LONGITUDES, LATITUDES = np.linspace(-180, 180, 25), np.linspace(-60, 60, 13)
DARKEST, LIGHTEST, GAP = (0, 34, 78), (254, 232, 56), (227, 231, 234)
BLANK = np.zeros((13, 25))


def field(values: Numbers, **facts: object) -> TecField:
    """Give a field of 15:00 UTC."""
    moment = datetime(2026, 9, 25, 15, tzinfo=UTC)
    return replace(TecField(moment, LONGITUDES, LATITUDES, values, "TECU"), **facts)  # type: ignore[arg-type]


def lit(x: int, y: int, value: float = 40) -> Numbers:
    """Give values that are 0 but at one point."""
    values = BLANK.copy()
    values[y, x] = value
    return values


def drawn(given: TecField) -> Image.Image:
    """Draw and decode a map."""
    png = tec_map.picture(given, DAY, ZONE)
    assert len(png) < 60_000
    return opened(png)


def at(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """Give the colour in the middle of a point's cell, away from the lines around it."""
    left, bottom, width, height = 46 * 2, 26 * 2, 356 * 2, 188 * 2
    column = left + (x + 0.5) * width / 25
    row = picture.height - bottom - (y + 0.5) * height / 13
    seen = picture.getpixel((round(column), round(row)))
    assert isinstance(seen, tuple)
    return seen


@pytest.mark.parametrize(("x", "y"), [(0, 0), (24, 12), (4, 9), (20, 2)])
def test_a_value_is_seen_where_it_is(x: int, y: int) -> None:
    """East is right and north is up; the rest is as dark as the scale's end."""
    picture = drawn(field(lit(x, y)))

    assert is_near(at(picture, x, y), LIGHTEST, 20)
    assert is_near(at(picture, 24 - x, 12 - y), DARKEST, 20)
    assert is_near(at(picture, 12, 6), DARKEST, 20)


def test_two_fields_give_two_pictures_and_one_gives_one() -> None:
    """The same facts are the same bytes."""
    one, same, other = (tec_map.picture(field(lit(x, 5)), DAY, ZONE) for x in (4, 4, 19))

    assert one == same
    assert one != other


def test_a_gap_isnt_drawn_as_a_value() -> None:
    """It has a colour that the scale lacks, and the sentence counts it."""
    values = lit(4, 4)
    values[6:, 12:] = np.nan
    given = field(values)

    assert is_near(at(drawn(given), 20, 10), GAP, 6)
    assert "without a value at 28% of the points" in tec_map.says(given, DAY, ZONE)


@pytest.mark.parametrize("value", [0, 7.5, -3, 1e-30, 3e38])
def test_a_constant_field_is_drawn_as_one(value: float) -> None:
    """All points alike, without lines that aren't there."""
    picture = drawn(field(BLANK + value))

    assert {at(picture, x, y) for x in range(1, 24, 4) for y in range(1, 12, 3)} == {at(picture, 12, 6)}


def test_uneven_points_are_as_wide_as_they_are() -> None:
    """A grid may be finer around the equator."""
    uneven = np.array([-60, -50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 50, 170.0])
    picture = drawn(field(lit(12, 12), latitudes=uneven))

    assert is_near(at(picture, 12, 9), LIGHTEST, 20)


@pytest.mark.parametrize(
    ("zone", "unit", "said"),
    [
        ("America/Sao_Paulo", "TECU", "15:00 UTC (12:00 in America/Sao_Paulo)"),
        ("UTC", None, "15:00 UTC (15:00 in UTC)"),
        ("Pacific/Auckland", None, "15:00 UTC (2026-09-26 03:00 in Pacific/Auckland)"),
    ],
)
def test_its_sentence_tells_day_time_range_and_the_datas_unit(zone: str, unit: str | None, said: str) -> None:
    """For whoever sees no pictures."""
    told = tec_map.says(field(lit(3, 3, 41.27), unit=unit), DAY, ZoneInfo(zone))
    ends = f"0.0 to 41.3{' TECU' if unit else ''}."

    assert told == f"TEC of 2026-268 at {said}, drawn from the published copy: {ends}"
