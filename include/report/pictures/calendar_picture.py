"""Years by day of the year: a column for the first two digits, a row for the last, a shape per state."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from include.ordinal_day import OrdinalDay
from include.report.history import CoveredYear
from include.report.pictures.canvas import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    PAPER,
    SKY,
    SOFT,
    VERMILION,
    Axes,
    Figure,
    axes,
    figure,
    png,
    write,
)
from include.results.states import Coverage

WIDTH = 576
_HEAD, _CELL, _FOOT = 52, 14.4, 50
_LEFT, _COLUMNS, _ROWS = 26, 37, 10
_YEAR = round(_HEAD + _ROWS * _CELL + _FOOT)


class _Mark(NamedTuple):
    """A shape that differs from the others even without its colour; area in square pixels."""

    shape: str
    fill: str
    edge: str
    area: float
    stroke: float = 0


_MARKS = {
    Coverage.SAFE: _Mark("s", GREEN, GREEN, 120),
    Coverage.REVISED: _Mark("D", BLUE, BLUE, 55),
    Coverage.MISSING: _Mark("o", "none", VERMILION, 52, 1.6),
    Coverage.FAILED: _Mark("x", VERMILION, VERMILION, 60, 2.4),
    Coverage.NOT_DUE: _Mark("o", FAINT, FAINT, 8),
    Coverage.WOULD_COPY: _Mark(">", SKY, SKY, 62),
}


def picture(years: Sequence[CoveredYear], own: OrdinalDay | None) -> bytes:
    """Draw years one below the other, with a frame around the run's own day, and return the PNG."""
    sheet = figure(WIDTH, _YEAR * len(years))
    for above, year in enumerate(years, start=1):
        _draw(sheet, year, _YEAR * (len(years) - above), own)
    return png(sheet)


def _draw(sheet: Figure, year: CoveredYear, floor: float, own: OrdinalDay | None) -> None:
    top = floor + _FOOT + _ROWS * _CELL
    write(sheet, 8, top + 32, f"{year.year} by day of the year", fontsize=14, color=INK, weight="bold")
    plot = axes(sheet, _LEFT, floor + _FOOT, _COLUMNS * _CELL, _ROWS * _CELL)
    plot.set(xlim=(-0.5, _COLUMNS - 0.5), ylim=(_ROWS - 0.5, -0.5))
    plot.set_xticks(range(_COLUMNS), [f"{column:02d}" for column in range(_COLUMNS)])
    plot.set_yticks(range(_ROWS), [str(row) for row in range(_ROWS)])
    plot.tick_params(labelsize=9, pad=3)
    for month in range(1, 13):
        first = OrdinalDay.of(date(year.year, month, 1)).number
        write(sheet, _LEFT + first // 10 * _CELL, top + 8, f"{date(year.year, month, 1):%b}", fontsize=11)
    for state in Coverage:
        numbers = [number for number, actual in year.by_number.items() if actual is state]
        _mark(plot, state, [number // 10 for number in numbers], [number % 10 for number in numbers])
    if own and own.year == year.year:
        hint = f"day {own.number:03d}: column {own.number // 10:02d}, row {own.number % 10}"
        write(sheet, WIDTH - 16, top + 32, hint, fontsize=11, ha="right")
        place = own.number // 10, own.number % 10
        plot.scatter(*place, marker="s", s=190, facecolor="none", edgecolor=INK, linewidth=1.6)
    _legend(sheet, year, floor)


def _mark(plot: Axes, state: Coverage, x: Sequence[float], y: Sequence[float]) -> None:
    look = _MARKS[state]
    plot.scatter(
        x,
        y,
        marker=look.shape,
        s=look.area,
        facecolor=look.fill,
        edgecolor=None if look.shape == "x" else look.edge,
        linewidth=look.stroke,
    )


def _legend(sheet: Figure, year: CoveredYear, floor: float) -> None:
    """Draw a legend of the shapes in the year, each with its number of days."""
    plot = axes(sheet, 0, floor, WIDTH, 24)
    plot.set(xlim=(0, WIDTH), ylim=(0, 24), xticks=[], yticks=[], facecolor=PAPER)
    counts, left = Counter(year.by_number.values()), float(_LEFT)
    for state in (state for state in Coverage if counts[state]):
        _mark(plot, state, [left], [13])
        text = f"{counts[state]} {state}"
        write(sheet, left + 11, floor + 9, text, color=SOFT)
        left += 34 + 7.2 * len(text)
