"""SUPIM days in the real format: a GrADS descriptor and a binary file for each time step.

The format is that of a published descriptor and reader of the institute's TEC maps, and of "Elements of a
GrADS Data Descriptor File" (COLA). The ionosphere is a sketch, good enough for a plausible map: a bulge that
follows the afternoon, two crests beside the magnetic equator, and a Chapman layer in height.

A day is computed once, by latitude from the magnetic equator and local time. A time step consists of slices
of that sheet, each moved by the Earth's rotation, so that the real grid (48 MB a step) takes seconds without
numpy.
"""

import math
import os
import random
import struct
import sys
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal

from include.ordinal_day import OrdinalDay

VARIABLES = ("TIMEDIFF", "NE", "TEC")
FLOAT_BYTES = 4
MINUTES_PER_DAY = 24 * 60
# The simulation of a day ends some hours after the day; its files don't change afterwards.
_WRITTEN_AFTER = timedelta(days=1, hours=2)
_SETTLED_S = 3600
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Grid:
    """The points of a simulation.

    Args:
        longitudes: degrees east, evenly spaced.
        latitudes: degrees north, evenly spaced.
        heights: metres, evenly spaced.
        form: how the descriptor lists longitudes and latitudes.
    """

    longitudes: tuple[float, ...]
    latitudes: tuple[float, ...]
    heights: tuple[float, ...]
    form: Literal["levels", "linear"] = "levels"

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numbers of longitudes, latitudes and heights."""
        return len(self.longitudes), len(self.latitudes), len(self.heights)

    @property
    def step_bytes(self) -> int:
        """The exact size of a time step's data file."""
        return len(VARIABLES) * math.prod(self.shape) * FLOAT_BYTES


def _evenly(first: float, last: float, count: int) -> tuple[float, ...]:
    return tuple(first + (last - first) * i / (count - 1) for i in range(count))


TINY = Grid(_evenly(-180, 180, 13), _evenly(-60, 60, 7), _evenly(1e5, 9e5, 3))
"""3 KB a step, 80 KB a day: for tests."""
DEMO = Grid(_evenly(-180, 180, 73), _evenly(-60, 60, 25), _evenly(9e4, 9.3e5, 15))
"""320 KB a step, 8 MB a day: enough for a plausible map."""
REAL = Grid(_evenly(-180, 180, 361), _evenly(-60, 60, 121), _evenly(9e4, 1e6, 92))
"""The institute's own grid: 48 MB a step, 1.2 GB a day."""


def write_day(  # noqa: PLR0913 - tests vary all of it
    root: Path,
    day: OrdinalDay,
    *,
    grid: Grid = TINY,
    steps: int = 24,
    folder: str | Path = "{year}/{day:03d}",
    seed: int = 0,
) -> Path:
    """Write a day as the simulation does; overwrite an existing one, as a second simulation would.

    Args:
        root: the source's root folder.
        day: the day.
        grid: ``TINY``, ``DEMO``, ``REAL`` or another.
        steps: time steps, a divisor of 1440 (24: hourly, 96: every 15 minutes).
        folder: a pattern below the root, or a path.
        seed: another seed gives other values for the same day.

    Returns:
        The day's folder. Its modification times are in the past, hours after the day.
    """
    target = folder if isinstance(folder, Path) else root / folder.format(year=day.year, day=day.number)
    target.mkdir(parents=True, exist_ok=True)
    sheet = _Sheet.of(day, grid, seed)
    for step in range(steps):
        minutes = step * MINUTES_PER_DAY // steps
        moment = f"{day.year}.{day.number}.{minutes // 60}.{minutes % 60}h"
        descriptor, data = target / f"descriptor.ctl.{moment}", target / f"data.dat.{moment}"
        with data.open("wb") as file:
            file.writelines(sheet.blocks(minutes / MINUTES_PER_DAY))
        descriptor.write_text(describe(data.name, day, minutes, steps, grid), encoding="ascii")
        for path in (data, descriptor):
            _settle(path, day, minutes=step)
    _settle(target, day, minutes=steps)
    return target


def half_write(day_folder: Path) -> Path:
    """Truncate the day's last data file to half, as if the simulation were still writing it; return it."""
    last = max(day_folder.glob("data.dat.*"), key=lambda path: path.stat().st_mtime_ns)
    os.truncate(last, last.stat().st_size // 2)
    return last


def describe(data_name: str, day: OrdinalDay, minutes: int, steps: int, grid: Grid) -> str:
    """Return the GrADS descriptor of a time step.

    Args:
        data_name: the name of the data file beside the descriptor.
        day: the day.
        minutes: minutes since midnight UTC.
        steps: time steps of the day.
        grid: the points.
    """
    every = MINUTES_PER_DAY // steps
    start = f"{minutes // 60}:{minutes % 60:02d}Z{day.date.day}{_MONTHS[day.date.month - 1]}{day.year}"
    nz = len(grid.heights)
    return "\n".join(
        [
            f"dset ^{data_name}",
            'title "SUPIM-DAVS, stand-in institute"',
            "undef -1",
            _axis("xdef", grid.longitudes, grid.form),
            _axis("ydef", grid.latitudes, grid.form),
            _axis("zdef", grid.heights, "levels"),
            "",
            f"tdef 1 linear {start} " + (f"{every // 60}hr" if every % 60 == 0 else f"{every}mn"),
            f"Vars {len(VARIABLES)}",
            f"TIMEDIFF {nz} 99 seconds between the step and its simulation",
            f"NE {nz} 99 electron density [1/m3]",
            f"TEC {nz} 99 total electron content [TECU]",
            "endvars",
            "",
        ]
    )


def _axis(keyword: str, values: tuple[float, ...], form: str) -> str:
    if form == "linear":
        return f"{keyword} {len(values)} linear {values[0]:g} {values[1] - values[0]:g}"
    # Line breaks as in SUPIM: 14 values, then 13 a line. It also formats numbers with %g: 1e+06.
    written = [f"{value:g}" for value in values]
    lines = [written[:14], *(written[i : i + 13] for i in range(14, len(written), 13))]
    return f"{keyword} {len(values)} levels " + "\n ".join(" ".join(line) for line in lines)


def _settle(path: Path, day: OrdinalDay, minutes: int) -> None:
    midnight = datetime(day.date.year, day.date.month, day.date.day, tzinfo=UTC)
    written = (midnight + _WRITTEN_AFTER + timedelta(minutes=minutes)).timestamp()
    moment = min(written, time.time() - _SETTLED_S)
    os.utime(path, (moment, moment))


@dataclass(frozen=True)
class _Sheet:
    """A day's ionosphere by local time; the Earth turns below it.

    Args:
        grid: the points.
        tec: for each latitude from the magnetic equator, the values of two days of local time as bytes.
        density: the same, for each height.
        reach: the most rows between the magnetic and the geographic equator.
    """

    grid: Grid
    tec: list[bytes]
    density: list[list[bytes]]
    reach: int

    @classmethod
    def of(cls, day: OrdinalDay, grid: Grid, seed: int) -> "_Sheet":
        chance = random.Random(f"{seed} {day}")  # noqa: S311 - no secret
        sun = chance.uniform(0.75, 1.25)
        season = -23.44 * math.cos(math.tau * (day.number + 10) / 365.25)
        nx, ny, _ = grid.shape
        spacing = grid.latitudes[1] - grid.latitudes[0]
        reach = math.ceil(_TILT / spacing)
        hours = [24 * i / (nx - 1) for i in range(nx - 1)]
        tec, density = [], [[] for _ in grid.heights]  # type: tuple[list[bytes], list[list[bytes]]]
        for row in range(-reach, ny + reach):
            latitude = grid.latitudes[0] + row * spacing
            values = [sun * _content(latitude, hour, season) for hour in hours]
            tec.append(_floats(values) * 2)
            for level, height in zip(density, grid.heights, strict=True):
                share = _chapman(height, latitude)
                level.append(_floats([value * share for value in values]) * 2)
        return cls(grid, tec, density, reach)

    def blocks(self, day_part: float) -> Iterator[bytes]:
        """Yield the data file in blocks: TIMEDIFF, NE, TEC; longitude fastest, then latitude."""
        nx, ny, nz = self.grid.shape
        yield struct.pack("<f", round(day_part * 60)) * (nx * ny * nz)
        slices = self._slices(day_part)
        for level in self.density:
            yield self._turned(level, slices)
        yield self._turned(self.tec, slices) * nz

    def _turned(self, rows: list[bytes], slices: list[tuple[int, int, int]]) -> bytes:
        latitudes = range(len(self.grid.latitudes))
        return b"".join(rows[row + shift][first:last] for row in latitudes for shift, first, last in slices)

    def _slices(self, day_part: float) -> list[tuple[int, int, int]]:
        """Cut a row where the magnetic equator changes rows: (rows to shift, first byte, last byte)."""
        nx = len(self.grid.longitudes)
        spacing = self.grid.latitudes[1] - self.grid.latitudes[0]
        # At -180 degrees it is noon when it is midnight in Greenwich; the sheet starts at midnight.
        turn = round((day_part + 0.5) * (nx - 1)) % (nx - 1)
        shifts = [self.reach - round(_equator(lon) / spacing) for lon in self.grid.longitudes]
        cuts = [0, *(i for i in range(1, nx) if shifts[i] != shifts[i - 1]), nx]
        return [(shifts[i], (i + turn) * FLOAT_BYTES, (j + turn) * FLOAT_BYTES) for i, j in pairwise(cuts)]


_TILT = 11.0  # the most degrees between the magnetic and the geographic equator


def _equator(longitude: float) -> float:
    """Return the magnetic equator's latitude: south over the Americas, north over Africa and Asia."""
    return -_TILT * math.cos(math.radians(longitude + 65))


def _content(latitude: float, hour: float, season: float) -> float:
    """Return the vertical electron content in TECU (10^16 electrons/m2) at a latitude and local time."""
    from_two = (hour - 14 + 12) % 24 - 12
    bulge = math.exp(-((from_two / (5.5 if from_two > 0 else 4)) ** 2))
    crests = math.exp(-(((abs(latitude) - 15) / 8) ** 2))
    sunlit = 0.3 + 0.7 * math.cos(math.radians(latitude - season / 2)) ** 2
    return sunlit * (5 + bulge * (28 + 30 * crests))


def _chapman(height: float, latitude: float) -> float:
    """Return the density (1/m3) at a height in metres, per TECU of the vertical content."""
    scale, peak = 6e4, 2.9e5 + 6e4 * math.exp(-((latitude / 20) ** 2))
    z = (height - peak) / scale
    column = scale * math.sqrt(math.tau * math.e)
    return 1e16 / column * math.exp(0.5 * (1 - z - math.exp(-z)))


def _floats(values: list[float]) -> bytes:
    numbers = array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
