"""The days of the demo: which its source has, and which are backed up how."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

from include.ordinal_day import OrdinalDay, window

LAG_DAYS = 2
LOOKBACK_DAYS = 6
_BACKFILLED = 4
_EARLIER = 4


@dataclass(frozen=True)
class DemoDays:
    """The days of the demo. The source has all of them, without a gap: a page of the demo asks for nothing.

    Args:
        recent: what a scheduled run copies, the target of today's run last.
        past: what a backfill copies: the days before, or those since an earlier demo.
        earlier: the days before all others, which nobody copies yet.
    """

    recent: list[OrdinalDay]
    past: list[OrdinalDay]
    earlier: list[OrdinalDay]

    @classmethod
    def on(cls, today: date, vault: Sequence[OrdinalDay] = ()) -> Self:
        """Choose the days for a date in the institute's time zone.

        Args:
            today: the date.
            vault: the days that an earlier demo left in the vault.
        """
        recent = window(OrdinalDay.of(today) - LAG_DAYS, 1 + LOOKBACK_DAYS)
        before = recent[0] - 1
        missing = (before.date - max(vault, default=before).date).days
        past = window(before, max(_BACKFILLED, missing))
        return cls(recent, past, window(min([past[0], *vault]) - 1, _EARLIER))

    @property
    def target(self) -> OrdinalDay:
        """The day of today's run."""
        return self.recent[-1]
