"""When the vault will be full: how fast it fills, and the date on which only the reserve is left. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from include.status.space import GROWTH_UNKNOWN, SHORTEST_TREND, Space
from include.status.view import VaultView
from include.text import size, span

_WINDOW = timedelta(days=90)
_NOT_SOON_DAYS = 36525
_DAY_S = 86_400


@dataclass(frozen=True)
class Forecast:
    """When the vault will be full, if it keeps growing as it does.

    Args:
        space: the last measurement.
        growth_bytes_per_day: over the last 90 days; None: not known yet.
        days_left: until only the reserve is left; None: unknown, or more than a century.
        full: that date.
    """

    space: Space
    growth_bytes_per_day: float | None
    days_left: int | None
    full: date | None

    @property
    def sentence(self) -> str:
        """The forecast in words."""
        if not self.space.usable_bytes:
            return f"No space is left above the reserve of {size(self.space.reserve_bytes)}."
        if self.growth_bytes_per_day is None:
            return GROWTH_UNKNOWN
        if self.days_left is None or self.full is None:
            return "Usage is not growing."
        growth = f"Usage grows by {size(self.growth_bytes_per_day)} a day"
        until = f", until {self.full:%B %Y}" if self.days_left < _NOT_SOON_DAYS // 10 else ""
        return f"{growth}. The free space lasts {span(self.days_left)}{until}."


def forecast(view: VaultView) -> Forecast:
    """Fit a line through the last 90 days; with too few of them, take the growth that the worker measured."""
    when, space = view.space_history[-1]
    growth = _slope([(at, past.used_bytes) for at, past in view.space_history if at > when - _WINDOW])
    if growth is None and space.growth_bytes_per_day is not None:
        growth = float(space.growth_bytes_per_day)
    left = _days_left(space, growth)
    full = None if left is None else (when + timedelta(days=left)).astimezone(view.zone).date()
    return Forecast(space, growth, left, full)


def _days_left(space: Space, growth: float | None) -> int | None:
    left = space.days_until_full(growth)
    return None if left is None or left >= _NOT_SOON_DAYS else left


def _slope(points: Sequence[tuple[datetime, int]]) -> float | None:
    """Return the least-squares slope in bytes a day; None if the measurements span less than a week."""
    if not points or points[-1][0] - points[0][0] < SHORTEST_TREND:
        return None
    days = [(at - points[0][0]).total_seconds() / _DAY_S for at, _ in points]
    mid_day, mid_used = sum(days) / len(days), sum(used for _, used in points) / len(points)
    spread = sum((day - mid_day) ** 2 for day in days)
    return (
        sum((day - mid_day) * (used - mid_used) for day, (_, used) in zip(days, points, strict=True)) / spread
    )
