"""Whether the rate is enough for all proofs: told with what the vault holds and what is needed."""

from datetime import timedelta

import pytest

from include.audit.backups import Backup, Standing
from include.audit.enough import too_slow
from include.audit.section import AuditSection
from tests.include.audit.test_due import NOW, day

GB = 10**9


def held(gigabytes: int, days_old: float = 0, number: int = 1) -> Standing:
    """Give how it stands with a day that holds so much, and was proven so long ago."""
    backup: Backup = day(number).backup
    return Standing(backup, NOW - timedelta(days=days_old), None, gigabytes * GB)


def at(rate_mb_s: float | None, *standings: Standing) -> str:
    """Say what is told at a rate, of proofs that may be 30 days old."""
    return too_slow(standings, NOW, AuditSection(rate_mb_s=rate_mb_s, proof_age_days=30))


def test_a_rate_at_which_the_vault_takes_longer_than_proofs_may_is_told() -> None:
    """With how much it is, what is needed, and what to change."""
    assert at(10, held(30_000), held(21_840, number=2)) == (
        "The audit reads too slowly: the vault holds 52 TB, which take 60 days at audit.rate_mb_s 10, and "
        "audit.proof_age_days is 30. For no proof to grow older, 21 MB/s are needed. Write that or more as "
        "audit.rate_mb_s into include/site.yaml, or null for no limit, or let proofs grow older."
    )


def test_what_is_advised_is_enough() -> None:
    """And a little less isn't."""
    every = [held(30_000), held(21_840, number=2)]
    assert at(20.1, *every) == at(21, *every) == at(None, *every) == ""
    assert at(19.9, *every)


@pytest.mark.parametrize("rate", [0.0001, 0.01, 1.2, 9.99, 800])
def test_small_and_large_rates_are_advised_so_that_they_do(rate: float) -> None:
    """Rounded up, never down."""
    every = [held(round(rate * 86_400 * 30 * 1e6 / GB) + 1)]
    advised = at(rate * 0.9, *every).partition("For no proof to grow older, ")[2].split(" MB/s")[0]
    assert at(float(advised), *every) == ""


def test_proofs_that_grow_old_together_need_more() -> None:
    """Half of the time would do for all, but these have two days left."""
    assert at(1, held(1_000, days_old=0)) == ""
    assert "For no proof to grow older, 5.8 MB/s are needed." in at(1, held(1_000, days_old=28))


def test_proofs_that_are_too_old_already_are_no_matter_of_the_rate() -> None:
    """An audit fell out; no rate would renew them in time. But they must be read, too."""
    assert at(1, held(1_000, days_old=29.5)) == at(1, held(1_000, days_old=40)) == ""
    assert at(1, held(1_000, days_old=40), held(1, days_old=28, number=2))


def test_what_isnt_read_any_more_takes_no_time() -> None:
    """It's damaged, and a newer one is whole."""
    replaced = Standing(day(3).backup, None, "It is damaged.", 99_000 * GB, replaced_by="2026-003.r2")
    assert at(1, replaced, held(1_000)) == ""


def test_an_empty_vault_needs_none() -> None:
    """There is nothing to read."""
    assert at(0.001) == ""
