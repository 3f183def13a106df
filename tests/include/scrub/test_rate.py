"""The warning about a rate limit that is too low, with the size of the vault and the rate it needs."""

from datetime import timedelta

import pytest

from include.config.scrub import ScrubSection
from include.scrub.backups import Backup, BackupStatus
from include.scrub.rate import too_slow
from tests.include.scrub.test_plan import NOW, day

GB = 10**9


def day_of(gigabytes: int, days_old: float = 0, number: int = 1) -> BackupStatus:
    """Return the status of a day of that size, verified that many days ago."""
    backup: Backup = day(number).backup
    return BackupStatus(backup, NOW - timedelta(days=days_old), None, gigabytes * GB)


def warning_at(max_read_mb_s: float | None, *statuses: BackupStatus) -> str:
    """Return the warning at a rate limit, if verifications may be 30 days old."""
    return too_slow(statuses, NOW, ScrubSection(max_read_mb_s=max_read_mb_s, max_age_days=30))


def test_a_rate_that_is_too_low_for_the_vault_gives_a_warning() -> None:
    """It has the size, the needed rate, and what to change."""
    assert warning_at(10, day_of(30_000), day_of(21_840, number=2)) == (
        "The scrub reads too slowly: the vault holds 52 TB, which takes 60 days at 10 MB/s, but "
        "scrub.max_age_days is 30. Set scrub.max_read_mb_s in include/site.yaml to 21 or more, or to null "
        "(no limit), or raise scrub.max_age_days."
    )


def test_the_advised_rate_is_enough() -> None:
    """A slightly lower rate isn't."""
    every = [day_of(30_000), day_of(21_840, number=2)]
    assert warning_at(20.1, *every) == warning_at(21, *every) == warning_at(None, *every) == ""
    assert warning_at(19.9, *every)


@pytest.mark.parametrize("rate", [0.0001, 0.01, 1.2, 9.99, 800])
def test_the_advised_rate_is_rounded_up(rate: float) -> None:
    """For small and large rates."""
    every = [day_of(round(rate * 86_400 * 30 * 1e6 / GB) + 1)]
    advised = warning_at(rate * 0.9, *every).partition("include/site.yaml to ")[2].split(" or more")[0]
    assert warning_at(float(advised), *every) == ""


def test_verifications_that_expire_together_need_a_higher_rate() -> None:
    """On average half the rate would do, but these have only two days left."""
    assert warning_at(1, day_of(1_000, days_old=0)) == ""
    assert "include/site.yaml to 5.8 or more" in warning_at(1, day_of(1_000, days_old=28))


def test_verifications_that_are_too_old_already_give_no_warning() -> None:
    """A scrub didn't run, and no rate would renew them in time. But they count as work to do."""
    assert warning_at(1, day_of(1_000, days_old=29.5)) == warning_at(1, day_of(1_000, days_old=40)) == ""
    assert warning_at(1, day_of(1_000, days_old=40), day_of(1, days_old=28, number=2))


def test_replaced_damaged_backups_dont_count() -> None:
    """They aren't read any more."""
    replaced = BackupStatus(day(3).backup, None, "It is damaged.", 99_000 * GB, replaced_by="2026-003.r2")
    assert warning_at(1, replaced, day_of(1_000)) == ""


def test_an_empty_vault_gives_no_warning() -> None:
    """There is nothing to read."""
    assert warning_at(0.001) == ""
