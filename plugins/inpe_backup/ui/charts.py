"""Small drawings as SVG paths: no style, no script, nothing from outside but numbers."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from include.report import Space

SPARK_WIDTH, SPARK_HEIGHT = 60, 18
_STEP = 5
ROOM_WIDTH, ROOM_HEIGHT = 720, 180
_MOST_POINTS = 120


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


class Room(NamedTuple):
    """The vault's room over time: what is used as an area and a line; where the reserve begins; the size."""

    area: str
    line: str
    reserve: float
    first: datetime
    last: datetime


def room(points: Sequence[tuple[datetime, Space]]) -> Room | None:
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
    return Room(area, line, _height(1 - space.reserve_bytes / total), first, last)


def _height(share: float) -> float:
    return round(ROOM_HEIGHT * (1 - min(max(share, 0), 1)), 1)
