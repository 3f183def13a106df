"""Where the vault's room is going: how fast it fills, and the day on which only the reserve is left. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from include.report import Space
from include.standing.view import VaultView
from include.wording import size, span

_LOOKS_BACK = timedelta(days=90)
_LEAST = timedelta(days=7)
_NOT_SOON_DAYS = 36525
_DAY_S = 86_400


@dataclass(frozen=True)
class Forecast:
    """What is to be expected of the room.

    Args:
        space: as it was last measured.
        growth_bytes_per_day: over the last 90 days; None: it isn't known yet.
        days_left: until only the reserve is left; None: not known, or not in sight.
        full: that date.
    """

    space: Space
    growth_bytes_per_day: float | None
    days_left: int | None
    full: date | None

    @property
    def sentence(self) -> str:
        """Say it in words."""
        if not self.space.usable_bytes:
            return f"No room is left beside the reserve of {size(self.space.reserve_bytes)}."
        if self.growth_bytes_per_day is None:
            return "How fast it fills is not known yet: a week of measurements is needed."
        if self.days_left is None or self.full is None:
            return "It isn't growing."
        pace = f"It grows by {size(self.growth_bytes_per_day)} a day"
        when = f", until about {self.full:%B %Y}" if self.days_left < _NOT_SOON_DAYS // 10 else ""
        return f"{pace}; at this pace there is room for {span(self.days_left)}{when}."


def forecast(view: VaultView) -> Forecast:
    """Draw a line through the last 90 days, or take what the vault's own worker measured."""
    when, space = view.room[-1]
    growth = _slope([(at, room.used_bytes) for at, room in view.room if at > when - _LOOKS_BACK])
    if growth is None and space.growth_bytes_per_day is not None:
        growth = float(space.growth_bytes_per_day)
    left = _days_left(space, growth)
    full = None if left is None else (when + timedelta(days=left)).astimezone(view.zone).date()
    return Forecast(space, growth, left, full)


def _days_left(space: Space, growth: float | None) -> int | None:
    if not space.usable_bytes:
        return 0
    if growth is None or growth <= 0:
        return None
    left = int(space.usable_bytes / growth)
    return left if left < _NOT_SOON_DAYS else None


def _slope(points: Sequence[tuple[datetime, int]]) -> float | None:
    """Give the least-squares slope in bytes a day; None where less than a week was measured."""
    if not points or points[-1][0] - points[0][0] < _LEAST:
        return None
    days = [(at - points[0][0]).total_seconds() / _DAY_S for at, _ in points]
    mid_day, mid_used = sum(days) / len(days), sum(used for _, used in points) / len(points)
    spread = sum((day - mid_day) ** 2 for day in days)
    return (
        sum((day - mid_day) * (used - mid_used) for day, (_, used) in zip(days, points, strict=True)) / spread
    )
