"""Whether days are verified again as promised: if not, the scrub is paused, never ran, or failed."""

from collections.abc import Iterable
from datetime import datetime

from include.config.site_file import Site
from include.days.published import PublishedDay
from include.status.days import day_status
from include.text import counted


def scrub_overdue(published: Iterable[PublishedDay], site: Site, now: datetime) -> list[str]:
    """Return which days no scrub has verified in time, and what to do, as sentences; none if all were.

    Args:
        published: the days.
        site: the site file.
        now: the time.
    """
    before = now - site.scrub.max_age
    found = [status for status in map(day_status, published) if not status.damage]
    old = [status.verified for status in found if status.verified < before]
    if not old:
        return []
    oldest = f"{min(old).astimezone(site.institute.zone):%Y-%m-%d}"
    days, limit = counted(len(old), "day"), counted(site.scrub.max_age_days, "day")
    sentence = (
        f"{days} not verified within {limit} (scrub.max_age_days); the oldest verification is of {oldest}. "
        "vault_scrub is paused, has never run or failed: switch it on, or look at its last run."
    )
    return [sentence]
