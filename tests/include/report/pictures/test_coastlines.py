"""Coasts on the map: where they are, and no lines that are none."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from include.ordinal_day import OrdinalDay
from include.report.pictures import coastlines, tec_map
from include.report.pictures.canvas import Axes, axes, figure
from include.report.pictures.tec_field import TecField
from tests.include.report.pictures import opened

MOMENT = datetime(2026, 9, 25, 15, tzinfo=UTC)


def distance(longitude: float, latitude: float) -> float:
    """Return how far the nearest point of a coast is, in degrees."""
    every = np.concatenate(coastlines.lines())
    return float(np.hypot(*(every - (longitude, latitude)).T).min())


@pytest.mark.parametrize(
    ("longitude", "latitude"), [(-34.8, -7.1), (-43.2, -23.0), (-70.7, -52.9), (18.4, -34.0), (153.1, -27.5)]
)
def test_coasts_are_where_they_are(longitude: float, latitude: float) -> None:
    """João Pessoa, Rio de Janeiro, the Strait of Magellan, the Cape, Brisbane."""
    assert distance(longitude, latitude) < 2


@pytest.mark.parametrize(("longitude", "latitude"), [(-45.9, -15.2), (-120, 0), (90, 60)])
def test_there_is_none_inland_or_at_sea(longitude: float, latitude: float) -> None:
    """Brazil, the Pacific, Siberia."""
    assert distance(longitude, latitude) > 5


def test_a_map_has_coasts() -> None:
    """On a map of one value, in other colours than that; the picture stays small."""
    step = TecField(MOMENT, np.linspace(-180, 180, 25), np.linspace(-90, 90, 13), np.zeros((13, 25)), "TECU")
    png = tec_map.picture(step, OrdinalDay.parse("2026-268"), ZoneInfo("America/Sao_Paulo"))
    brazil = opened(png).crop((300, 250, 400, 340))
    assert len(brazil.getcolors(10_000) or ()) > 5
    assert len(png) < 60_000


def test_no_coast_crosses_the_map() -> None:
    """Where the world's edge cuts a country, its line ends."""
    assert all(np.abs(np.diff(line[:, 0])).max() < 30 for line in coastlines.lines())


def test_the_file_names_its_source_and_its_licence() -> None:
    """Nothing is downloaded."""
    head = coastlines._FILE.read_text("utf-8")[:300]  # noqa: SLF001 - the file itself
    assert "Natural Earth" in head
    assert "public domain" in head


def test_coasts_leave_a_maps_limits_alone() -> None:
    """Also those of a grid that goes from 0 to 360 degrees: the coasts go round with it."""
    plot: Axes = axes(figure(100, 100), 0, 0, 100, 100)
    plot.set(xlim=(270, 345), ylim=(-60, 20))
    coastlines.draw(plot)
    assert (plot.get_xlim(), plot.get_ylim()) == ((270, 345), (-60, 20))
    points = np.concatenate([path.vertices for path in plot.collections[0].get_paths()])
    assert (np.hypot(*(points - (360 - 34.8, -7.1)).T) < 2).any()
