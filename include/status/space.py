"""The space in the vault, and how fast days fill it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo

from pydantic import Field, NonNegativeInt

from include.config.site_file import Site
from include.days.published import PublishedDay
from include.days.record import DayRecord
from include.models import Model
from include.results.states import Text
from include.vault.clock import is_ahead
from include.vault.free_space import FreeSpace
from include.vault.vault import Vault

TREND_DAYS = 30
SHORTEST_TREND = timedelta(days=7)
"""What measurements must span: less extrapolates a first day's bulk copy to a full vault."""
GROWTH_UNKNOWN = "Growth is not known yet: it takes a week of measurements."


class CopiedBytes(Model):
    """How much was copied into the vault on one date in the institute's zone."""

    on: date
    bytes: NonNegativeInt


class Space(Model):
    """The space in the vault at one instant, and how fast it fills. All in bytes."""

    path: Text = Field(description="the vault's folder")
    total_bytes: NonNegativeInt
    used_bytes: NonNegativeInt
    free_bytes: NonNegativeInt = Field(description="what the worker's user may still write")
    reserve_bytes: NonNegativeInt = Field(description="what the backup always leaves free")
    growth_bytes_per_day: int | None = Field(
        default=None, description="over the last 30 days; None: less than a week of them, or no copy"
    )
    added_bytes: NonNegativeInt | None = Field(default=None, description="by this run; None: unknown")
    gone_bytes: NonNegativeInt = Field(default=0, description="freed by this run's removals")
    copied: tuple[CopiedBytes, ...] = Field(default=(), description="by date, of the last 30 days")

    @property
    def usable_bytes(self) -> int:
        """Free space above the reserve."""
        return max(self.free_bytes - self.reserve_bytes, 0)

    def days_until_full(self, growth_bytes_per_day: float | None) -> int | None:
        """Return whole days until only the reserve is left.

        Args:
            growth_bytes_per_day: how fast the vault fills; None: unknown.

        Returns:
            0 if the reserve is reached, whatever the growth; None if the growth is unknown, or there is none.
        """
        if not self.usable_bytes:
            return 0
        if growth_bytes_per_day is None or growth_bytes_per_day <= 0:
            return None
        return int(self.usable_bytes / growth_bytes_per_day)


def space_now(vault: Vault, published: Iterable[PublishedDay], site: Site) -> Space:
    """Measure the vault's space, and how fast it filled over the last 30 days."""
    space, recent = FreeSpace.of(vault.root), _recent(published)
    return Space(
        path=str(vault.root),
        total_bytes=space.total_bytes,
        used_bytes=space.total_bytes - space.free_bytes,
        free_bytes=space.free_bytes,
        reserve_bytes=site.vault.reserve,
        growth_bytes_per_day=_growth(recent),
        copied=_copied(recent, site.institute.zone),
    )


def _recent(published: Iterable[PublishedDay]) -> list[DayRecord]:
    since = (datetime.now(UTC) - timedelta(days=TREND_DAYS)).timestamp()
    # By the files' times, so that of ten years only the last month's records are read.
    recent = (day for day in published if day.record_file.stat().st_mtime >= since)
    records = (day.readable_record for day in recent)
    return [record for record in records if record and not is_ahead(record.copied)]


def _growth(recent: Sequence[DayRecord]) -> int | None:
    first = min((record.copied for record in recent), default=None)
    if first is None or (passed := datetime.now(UTC) - first) < SHORTEST_TREND:
        return None
    return round(sum(record.bytes for record in recent) / (passed / timedelta(days=1)))


def _copied(recent: Iterable[DayRecord], zone: tzinfo) -> tuple[CopiedBytes, ...]:
    by_date = Counter[date]()
    for record in recent:
        by_date[record.copied.astimezone(zone).date()] += record.bytes
    newest = datetime.now(zone).date()
    dates = sorted(on for on in by_date if timedelta() <= newest - on <= timedelta(days=TREND_DAYS))
    return tuple(CopiedBytes(on=on, bytes=by_date[on]) for on in dates)
