"""Whether backups are verified again as promised: if not, the scrub is paused, never ran, or failed."""

from collections.abc import Iterable
from datetime import datetime

from include.config.site_file import Site
from include.days.published import PublishedDay
from include.status.days import day_status
from include.status.vms import generation_status
from include.text import counted
from include.vms.published import PublishedVm


def scrub_overdue(published: Iterable[PublishedDay], site: Site, now: datetime) -> list[str]:
    """Return which days no scrub has verified in time, and what to do, as sentences; none if all were.

    Args:
        published: the days.
        site: the site file.
        now: the time.
    """
    found = map(day_status, published)
    return _overdue("day", (status.verified for status in found if not status.damage), site, now)


def images_overdue(generations: Iterable[PublishedVm], site: Site, now: datetime) -> list[str]:
    """Return which VM images no scrub has verified in time; see :func:`scrub_overdue`."""
    found = map(generation_status, generations)
    return _overdue("VM image", (status.verified for status in found if not status.damage), site, now)


def _overdue(noun: str, verified: Iterable[datetime], site: Site, now: datetime) -> list[str]:
    before = now - site.scrub.max_age
    old = [when for when in verified if when < before]
    if not old:
        return []
    oldest = f"{min(old).astimezone(site.institute.zone):%Y-%m-%d}"
    backups, limit = counted(len(old), noun), counted(site.scrub.max_age_days, "day")
    sentence = (
        f"{backups} not verified within {limit} (scrub.max_age_days); the oldest verification is of "
        f"{oldest}. vault_scrub is paused, has never run or failed: switch it on, or look at its last run."
    )
    return [sentence]
