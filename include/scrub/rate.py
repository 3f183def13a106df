"""Warn when the scrub's rate limit is too low to verify the whole vault in time."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from include.config.scrub import ScrubSection
from include.scrub.backups import BackupStatus
from include.scrub.plan import LONGEST_RUN
from include.text import counted, size
from include.vault.clock import is_ahead

_MB = 1e6


def too_slow(statuses: Iterable[BackupStatus], now: datetime, section: ScrubSection) -> str:
    """Return a warning if ``max_read_mb_s`` is too low for ``max_age_days``; an empty text if it is enough.

    Args:
        statuses: of all backups; those that aren't read any more don't count.
        now: the time of the run.
        section: the site's settings.
    """
    read = [status for status in statuses if not status.replaced_by or status.unreported]
    needed = _needed_bytes_s(read, now, section.max_age) / _MB
    if section.max_read_mb_s is None or needed <= section.max_read_mb_s:
        return ""
    total = sum(status.bytes for status in read)
    takes = timedelta(seconds=total / _MB / section.max_read_mb_s)
    return (
        f"The scrub reads too slowly: the vault holds {size(total)}, which takes {_days(takes)} at "
        f"{section.max_read_mb_s:g} MB/s, but scrub.max_age_days is {section.max_age_days}. Set "
        f"scrub.max_read_mb_s in include/site.yaml to {_round_up(needed):g} or more, or to null (no limit), "
        "or raise scrub.max_age_days."
    )


def _needed_bytes_s(read: list[BackupStatus], now: datetime, max_age: timedelta) -> float:
    """Return the lowest rate that renews each verification before it is too old, oldest first."""
    needed = sum(status.bytes for status in read) / max_age.total_seconds()
    ahead = 0
    # An unknown verification, or one in the future, is due.
    dates = [
        now - max_age if not one.verified or is_ahead(one.verified, now) else min(one.verified, now)
        for one in read
    ]
    for verified, status in sorted(zip(dates, read, strict=True), key=lambda pair: pair[0]):
        ahead += status.bytes
        left = verified + max_age - now
        if left >= LONGEST_RUN:  # less only if a scrub didn't run, which no rate can fix
            needed = max(needed, ahead / left.total_seconds())
    return needed


def _days(takes: timedelta) -> str:
    return counted(max(round(takes / timedelta(days=1)), 1), "day")


def _round_up(needed_mb_s: float) -> float:
    """Round up to a multiple of 1, 0.1 or 0.001 MB/s, so that the advised rate is enough."""
    step = 1.0 if needed_mb_s >= 10 else 0.1 if needed_mb_s >= 1 else 0.001  # noqa: PLR2004 - digits
    return round((needed_mb_s // step + 1) * step, 3)
