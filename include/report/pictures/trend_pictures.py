"""Trends: each VM's downtimes against its budget, and what was copied in the last 30 days."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo

from include.report.history import DowntimeHistory
from include.report.pictures.canvas import (
    BLUE,
    INK,
    LINE,
    SKY,
    SOFT,
    VERMILION,
    Figure,
    axes,
    figure,
    png,
    write,
)
from include.status.space import CopiedBytes
from include.text import duration, size

WIDTH = 576
_DAYS = 30
_ROW, _HEAD, _FOOT = 46, 30, 26
_NAME = 15  # letters that fit


def downtime(rows: Sequence[DowntimeHistory], zone: tzinfo) -> bytes:
    """Draw a row for each VM, with a point per image and a dashed line for the budget; return the PNG.

    Dates are those in ``zone``.
    """
    height = _HEAD + _ROW * len(rows) + _FOOT
    sheet = figure(WIDTH, height)
    write(sheet, 8, height - 20, "Downtime for each image", fontsize=14, color=INK, weight="bold")
    first = min(row.instants[0] for row in rows)
    last = max(row.instants[-1] for row in rows)
    for number, row in enumerate(rows, start=1):
        _draw_row(sheet, row, height - _HEAD - _ROW * number, (first, last))
    write(sheet, 274, 8, "- - -  budget", fontsize=11, ha="center")
    for left, side, moment in ((128, "left", first), (420, "right", last)):
        write(sheet, left, 8, f"{moment.astimezone(zone).date()}", fontsize=11, ha=side)
    return png(sheet)


def _draw_row(sheet: Figure, row: DowntimeHistory, floor: float, span: tuple[datetime, datetime]) -> None:
    first, last = (moment.timestamp() for moment in span)
    at = [moment.timestamp() for moment in row.instants]
    over = [(x, y) for x, y in zip(at, row.seconds, strict=True) if y > row.budget_s]
    within = [(x, y) for x, y in zip(at, row.seconds, strict=True) if y <= row.budget_s]
    plot = axes(sheet, 120, floor + 6, 310, _ROW - 8)
    margin = max(last - first, 1) * 0.03
    plot.set(xlim=(first - margin, last + margin), xticks=[], yticks=[])
    plot.set_ylim(-0.08 * max(*row.seconds, row.budget_s, 1), 1.12 * max(*row.seconds, row.budget_s, 1))
    plot.axhline(0, color=LINE, linewidth=1)
    plot.axhline(row.budget_s, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
    plot.plot(at, row.seconds, color=SKY, linewidth=1.2)
    plot.scatter(*_columns(within), marker="o", s=16, color=BLUE, zorder=3)
    plot.scatter(*_columns(over), marker="X", s=46, color=VERMILION, zorder=3)
    name = row.name if len(row.name) <= _NAME else f"{row.name[: _NAME - 1]}…"
    write(sheet, 8, floor + 18, name, color=INK)
    late = row.seconds[-1] > row.budget_s
    write(sheet, 440, floor + 24, duration(row.seconds[-1]), color=VERMILION if late else INK)
    write(sheet, 440, floor + 9, f"of {duration(row.budget_s)}", fontsize=11)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def copied(dates: Sequence[CopiedBytes], newest: date) -> bytes:
    """Draw the running total of what was copied in the last 30 days, and return the PNG."""
    height = 190
    sheet = figure(WIDTH, height)
    total = sum(day.bytes for day in dates)
    title = f"Copied into the vault in {_DAYS} days: {size(total)}"
    write(sheet, 8, height - 20, title, fontsize=14, color=INK, weight="bold")
    plot = axes(sheet, 70, 26, WIDTH - 86, height - 62)
    by_date = {day.on: day.bytes for day in dates}  # nothing was copied on other dates
    days = [newest - timedelta(days=back) for back in reversed(range(_DAYS + 1))]
    sums = [sum(by_date.get(day, 0) for day in days[: number + 1]) for number in range(len(days))]
    plot.fill_between(range(len(days)), sums, step="post", color=SKY, alpha=0.35, linewidth=0)
    plot.step(range(len(days)), sums, where="post", color=BLUE, linewidth=1.6)
    plot.set(xlim=(0, _DAYS), ylim=(0, 1.08 * max(total, 1)))
    plot.grid(axis="y", color=LINE, linewidth=0.8)
    plot.set_axisbelow(True)
    plot.locator_params(axis="y", nbins=4)
    plot.yaxis.set_major_formatter(lambda amount, _: size(amount) if amount else "0")
    plot.set_xticks([])
    for number, side in ((0, "left"), (_DAYS // 2, "center"), (_DAYS, "right")):
        write(sheet, 70 + (WIDTH - 86) * number / _DAYS, 8, f"{days[number]}", fontsize=11, ha=side)
    return png(sheet)
