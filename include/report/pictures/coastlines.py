"""Coastlines on a map, from a file beside this one that names its source and licence."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from include.report.pictures.canvas import Axes

_FILE = Path(__file__).with_name("coastlines.txt")
_UNITS_PER_DEGREE = 10
_TURNS = (-360, 0, 360)  # a grid may go from 0 to 360 degrees


@cache
def lines() -> tuple[NDArray[np.float64], ...]:
    """Return each coast as its points: degrees east and degrees north."""
    return tuple(_read())


def draw(plot: Axes) -> None:
    """Draw the coasts within a map's limits, dark on a light rim, so that they show on any colour."""
    coasts = [line + np.array((turn, 0)) for turn in _TURNS for line in lines()]
    for colour, width in (("#ffffff", 1.4), ("#1c2733", 0.6)):
        drawn = LineCollection(coasts, colors=colour, linewidths=width, alpha=0.75)
        plot.add_collection(drawn, autolim=False)


def _read() -> Iterator[NDArray[np.float64]]:
    for line in _FILE.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            points = [point.split(",") for point in line.split()]
            yield np.array(points, dtype=np.float64) / _UNITS_PER_DEGREE
