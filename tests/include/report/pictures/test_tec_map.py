"""A map shows each value in its place, and its caption describes it."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from include.ordinal_day import OrdinalDay
from include.report.pictures import coastlines, tec_map
from include.report.pictures.tec_field import Numbers, TecField
from tests.include.report.pictures import is_near, opened

DAY = OrdinalDay.parse("2026-268")
ZONE = ZoneInfo("America/Sao_Paulo")
LONGITUDES, LATITUDES = np.linspace(-180, 180, 25), np.linspace(-60, 60, 13)
DARKEST, LIGHTEST, GAP = (0, 34, 78), (254, 232, 56), (227, 231, 234)
BLANK = np.zeros((13, 25))


@pytest.fixture(autouse=True)
def _without_coasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave them out: these tests look at the colours below them."""
    monkeypatch.setattr(coastlines, "lines", tuple)


def field(values: Numbers, **fields: object) -> TecField:
    """Return a field at 15:00 UTC."""
    moment = datetime(2026, 9, 25, 15, tzinfo=UTC)
    return replace(TecField(moment, LONGITUDES, LATITUDES, values, "TECU"), **fields)  # type: ignore[arg-type]


def lit(x: int, y: int, value: float = 40) -> Numbers:
    """Return values that are 0 except at one point."""
    values = BLANK.copy()
    values[y, x] = value
    return values


def drawn(given: TecField) -> Image.Image:
    """Return a map, drawn and decoded."""
    png = tec_map.picture(given, DAY, ZONE)
    assert len(png) < 60_000
    return opened(png)


def at(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """Return the colour in the centre of a point's cell, away from contour lines."""
    left, bottom, width, height = 46 * 2, 26 * 2, 356 * 2, 188 * 2
    column = left + (x + 0.5) * width / 25
    row = picture.height - bottom - (y + 0.5) * height / 13
    colour = picture.getpixel((round(column), round(row)))
    assert isinstance(colour, tuple)
    return colour


@pytest.mark.parametrize(("x", "y"), [(0, 0), (24, 12), (4, 9), (20, 2)])
def test_a_value_is_drawn_in_its_place(x: int, y: int) -> None:
    """East is right and north is up; the rest has the darkest colour."""
    picture = drawn(field(lit(x, y)))

    assert is_near(at(picture, x, y), LIGHTEST, 20)
    assert is_near(at(picture, 24 - x, 12 - y), DARKEST, 20)
    assert is_near(at(picture, 12, 6), DARKEST, 20)


def test_the_same_field_gives_the_same_picture() -> None:
    """To the byte; another field gives another picture."""
    first, same, other = (tec_map.picture(field(lit(x, 5)), DAY, ZONE) for x in (4, 4, 19))

    assert first == same
    assert first != other


def test_a_gap_isnt_drawn_as_a_value() -> None:
    """Its colour isn't on the scale, and the caption gives its size."""
    values = lit(4, 4)
    values[6:, 12:] = np.nan
    given = field(values)

    assert is_near(at(drawn(given), 20, 10), GAP, 6)
    assert "without a value at 28% of the points" in tec_map.caption(given, DAY, ZONE)


@pytest.mark.parametrize("value", [0, 7.5, -3, 1e-30, 3e38])
def test_a_constant_field_has_one_colour(value: float) -> None:
    """Without contour lines."""
    picture = drawn(field(BLANK + value))

    assert {at(picture, x, y) for x in range(1, 24, 4) for y in range(1, 12, 3)} == {at(picture, 12, 6)}


def test_an_uneven_grid_is_drawn_to_scale() -> None:
    """It may be finer near the equator."""
    uneven = np.array([-60, -50, -40, -30, -20, -10, 0, 10, 20, 30, 40, 50, 170.0])
    picture = drawn(field(lit(12, 12), latitudes=uneven))

    assert is_near(at(picture, 12, 9), LIGHTEST, 20)


@pytest.mark.parametrize(
    ("zone", "unit", "expected"),
    [
        ("America/Sao_Paulo", "TECU", "15:00 UTC (12:00 in America/Sao_Paulo)"),
        ("UTC", None, "15:00 UTC (15:00 in UTC)"),
        ("Pacific/Auckland", None, "15:00 UTC (2026-09-26 03:00 in Pacific/Auckland)"),
    ],
)
def test_the_caption_gives_day_time_range_and_unit(zone: str, unit: str | None, expected: str) -> None:
    """For readers without pictures."""
    sentence = tec_map.caption(field(lit(3, 3, 41.27), unit=unit), DAY, ZoneInfo(zone))
    ends = f"0.0 to 41.3{' TECU' if unit else ''}."

    assert sentence == f"TEC of 2026-268 at {expected}, drawn from the published copy: {ends}"
