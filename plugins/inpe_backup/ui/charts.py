"""Small drawings as SVG paths: no style, no script, nothing from outside but numbers."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from include.report import Space
from include.wording import size

SPARK_WIDTH, SPARK_HEIGHT = 60, 18
_STEP = 5
ROOM_WIDTH, ROOM_HEIGHT = 720, 180
_MOST_POINTS = 120
_TICKS = 5  # the most on an axis


class Spark(NamedTuple):
    """Downtimes against their budget: bars within it, bars beyond it, and the height of the budget."""

    within: str
    beyond: str
    budget: int


def spark(downtimes: Sequence[float | None], budget_s: float) -> Spark:
    """Draw one bar for each run, newest at the right; a run that stopped nothing has none."""
    most = max(budget_s, 0.001, *filter(None, downtimes))
    left = SPARK_WIDTH - _STEP * len(downtimes) + _STEP // 2
    bars = [
        (
            seconds > budget_s,
            f"M{left + _STEP * place} {SPARK_HEIGHT}v-{int(seconds / most * SPARK_HEIGHT) or 1}",
        )
        for place, seconds in enumerate(downtimes)
        if seconds is not None
    ]
    within, beyond = ("".join(bar for over, bar in bars if over is which) for which in (False, True))
    return Spark(within, beyond, SPARK_HEIGHT - round(budget_s / most * SPARK_HEIGHT))


class Tick(NamedTuple):
    """A label of an axis: where it stands, in the chart's units or in percent, and what it says."""

    at: float
    says: str


class Room(NamedTuple):
    """The vault's room over time: what is used as an area and a line; where the reserve begins; both axes.

    Args:
        sizes: ticks from zero to the size of the vault.
        dates: ticks from the first day to the last.
    """

    area: str
    line: str
    reserve: float
    sizes: tuple[Tick, ...]
    dates: tuple[Tick, ...]


def room(points: Sequence[tuple[datetime, Space]], zone: ZoneInfo) -> Room | None:
    """Draw what was used; None where it was measured on fewer than two days."""
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    points = [*points[:: max(len(points) // _MOST_POINTS, 1)], points[-1]]
    (first, _), (last, space) = points[0], points[-1]
    total = max(space.used_bytes + space.free_bytes, *(seen.used_bytes for _, seen in points), 1)
    across = max((last - first).total_seconds(), 1)
    spots = [
        f"{(at - first).total_seconds() / across * ROOM_WIDTH:.0f} {_height(seen.used_bytes / total)}"
        for at, seen in points
    ]
    line = "M" + "L".join(spots)
    area = f"{line}V{ROOM_HEIGHT}H0Z"
    reserve = _height(1 - space.reserve_bytes / total)
    return Room(area, line, reserve, tuple(_sizes(total)), tuple(_dates(first, last, zone)))


def _sizes(total: int) -> Iterator[Tick]:
    """Give round sizes, not more than fit."""
    power = 10 ** (len(str(total)) - 1)
    step = next(step for step in (power / 5, power / 2, power, power * 2, power * 5) if total / step < _TICKS)
    for number in range(int(total / step) + 1):
        yield Tick(_height(number * step / total), size(number * step) if number else "0")


def _dates(first: datetime, last: datetime, zone: ZoneInfo) -> Iterator[Tick]:
    """Give dates, evenly spaced; of a few days only both ends."""
    parts = _TICKS - 1 if last - first >= timedelta(days=_TICKS) else 1
    for number in range(parts + 1):
        when = first + (last - first) * number / parts
        yield Tick(100 * number / parts, f"{when.astimezone(zone):%Y-%m-%d}")


def _height(share: float) -> float:
    return round(ROOM_HEIGHT * (1 - min(max(share, 0), 1)), 1)
