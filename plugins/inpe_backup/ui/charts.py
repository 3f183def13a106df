"""Small charts as SVG paths: no style, no script, and no input but numbers."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from include.status.space import Space
from include.text import size

SPARK_WIDTH, SPARK_HEIGHT = 60, 18
_STEP = 5
SPACE_WIDTH, SPACE_HEIGHT = 720, 180
_MAX_POINTS = 120
_MAX_TICKS = 5  # on an axis


class Spark(NamedTuple):
    """Downtimes as bars, those within the budget and those over it, and the height of the budget line."""

    within: str
    over: str
    budget: int


def spark(downtimes: Sequence[float | None], budget_s: float) -> Spark:
    """Draw one bar for each image, newest at the right; none where the VM was not stopped."""
    longest = max(budget_s, 0.001, *filter(None, downtimes))
    left = SPARK_WIDTH - _STEP * len(downtimes) + _STEP // 2
    bars = [
        (
            seconds > budget_s,
            f"M{left + _STEP * position} {SPARK_HEIGHT}v-{int(seconds / longest * SPARK_HEIGHT) or 1}",
        )
        for position, seconds in enumerate(downtimes)
        if seconds is not None
    ]
    within, over = ("".join(bar for is_over, bar in bars if is_over is which) for which in (False, True))
    return Spark(within, over, SPARK_HEIGHT - round(budget_s / longest * SPARK_HEIGHT))


class Tick(NamedTuple):
    """A tick of an axis: its position, in the chart's units or in percent, and its label."""

    at: float
    label: str


class SpaceChart(NamedTuple):
    """The vault's space over time: used space as an area and a line, where the reserve begins, and both axes.

    Args:
        sizes: ticks from zero to the size of the vault.
        dates: ticks from the first day to the last.
    """

    area: str
    line: str
    reserve: float
    sizes: tuple[Tick, ...]
    dates: tuple[Tick, ...]


def space_chart(points: Sequence[tuple[datetime, Space]], zone: ZoneInfo) -> SpaceChart | None:
    """Draw the used space.

    Args:
        points: measurements, oldest first.
        zone: the time zone of the dates.

    Returns:
        The chart; None if there are fewer than two measurements.
    """
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    points = [*points[:: max(len(points) // _MAX_POINTS, 1)], points[-1]]
    (first, _), (last, space) = points[0], points[-1]
    total = max(space.used_bytes + space.free_bytes, *(past.used_bytes for _, past in points), 1)
    duration = max((last - first).total_seconds(), 1)
    vertices = [
        f"{(at - first).total_seconds() / duration * SPACE_WIDTH:.0f} {_height(past.used_bytes / total)}"
        for at, past in points
    ]
    line = "M" + "L".join(vertices)
    area = f"{line}V{SPACE_HEIGHT}H0Z"
    reserve = _height(1 - space.reserve_bytes / total)
    return SpaceChart(area, line, reserve, tuple(_sizes(total)), tuple(_dates(first, last, zone)))


def _sizes(total: int) -> Iterator[Tick]:
    """Return round sizes, no more than fit."""
    power = 10 ** (len(str(total)) - 1)
    step = next(
        step for step in (power / 5, power / 2, power, power * 2, power * 5) if total / step < _MAX_TICKS
    )
    for number in range(int(total / step) + 1):
        yield Tick(_height(number * step / total), size(number * step) if number else "0")


def _dates(first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[Tick]:
    """Return evenly spaced dates; for a few days only the first and the last."""
    parts = _MAX_TICKS - 1 if last - first >= timedelta(days=_MAX_TICKS) else 1
    for number in range(parts + 1):
        when = first + (last - first) * number / parts
        yield Tick(100 * number / parts, f"{when.astimezone(zone):%Y-%m-%d}")


def _height(share: float) -> float:
    return round(SPACE_HEIGHT * (1 - min(max(share, 0), 1)), 1)
